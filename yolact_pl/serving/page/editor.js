// What a person changes of the objects of a picture.

import { Item } from "./result.js";
import { cropWindow } from "./masks.js";
import { iou } from "./nms.js";
import { solveBox, solveClicks } from "./solve.js";

/** IoU from which on a candidate is taken for a drawn object. */
const SAME_PLACE = 0.5;
/** Pixels of the map that a box grows beyond a click outside of it. */
const ROOM = 2;

/** A click that adds to an object's mask or removes from it. */
export function click(result, item, x, y, adds) {
  item.clicks.push({ x, y, adds });
  if (adds) reach(result, item, x, y);
  solve(result, item);
}

export function undo(result, item) {
  item.clicks.pop();
  solve(result, item);
}

/** The mask anew, after clicks or the box have changed. */
export function solve(result, item) {
  item.soft = null;
  item.off.clear();
  const { coefficients } = item.predicted;
  if (item.clicks.length === 0) {
    item.coefficients = coefficients;
    return;
  }
  const clicks = item.clicks.map(({ x, y, adds }) => {
    const [mapX, mapY] = result.toMap(x, y);
    return { x: mapX, y: mapY, adds };
  });
  item.coefficients = solveClicks(result.prototypes, coefficients, cropWindow(result, item.box), clicks);
}

/** A new object in a box: like the candidate there, if there is one, else the ellipse in it. */
export function draw(result, box, label) {
  const overlap = result.candidates.map((item) => iou(item.predicted.box, box));
  const best = overlap.indexOf(Math.max(...overlap));
  const near = overlap[best] >= SAME_PLACE ? result.candidates[best] : null;
  const [x1, y1] = result.toMap(box[0], box[1]);
  const [x2, y2] = result.toMap(box[2], box[3]);
  const coefficients = solveBox(result.prototypes, [x1, y1, x2, y2], near?.predicted.coefficients ?? null);
  return new Item({ box, score: 1, label: near?.label ?? label, coefficients, drawn: true });
}

/** Grow the box of an object to hold a point. */
function reach(result, item, x, y) {
  const across = (ROOM * result.width) / result.region.width;
  const down = (ROOM * result.height) / result.region.height;
  const [x1, y1, x2, y2] = item.box;
  if (x < x1 || x > x2) item.box = [Math.min(x1, x - across), y1, Math.max(x2, x + across), y2];
  if (y < y1 || y > y2) item.box = [item.box[0], Math.min(y1, y - down), item.box[2], Math.max(y2, y + down)];
  item.box = item.box.map((side, k) => Math.min(Math.max(side, 0), k % 2 ? result.height : result.width));
}
