// Objects as COCO annotations.

import { cropWindow, imageGrid, logits, resample } from "./masks.js";

/** The mask of an object at the picture's size: runs, area and box; with all prototypes. */
export function maskRuns(result, item) {
  const window = cropWindow(result, item.box);
  const values = logits(result.prototypes, item.coefficients, window);
  for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-values[i]));
  const mask = resample(result, { window, values }, imageGrid(result));
  const changes = [];
  let area = 0;
  let [x1, y1, x2, y2] = [Infinity, Infinity, 0, 0];
  let inside = false;
  for (let x = 0; x < mask.width; x++) {
    for (let y = 0; y < mask.height; y++) {
      const set = mask.values[y * mask.width + x] > 0.5;
      const continues = y > 0 || mask.height === result.height; // a column starts where the one before ended
      if (!continues && inside) {
        changes.push((mask.x + x - 1) * result.height + mask.y + mask.height);
        inside = false;
      }
      if (set !== inside) {
        changes.push((mask.x + x) * result.height + mask.y + y);
        inside = set;
      }
      if (!set) continue;
      area += 1;
      x1 = Math.min(x1, mask.x + x);
      x2 = Math.max(x2, mask.x + x + 1);
      y1 = Math.min(y1, mask.y + y);
      y2 = Math.max(y2, mask.y + y + 1);
    }
  }
  if (inside) changes.push((mask.x + mask.width - 1) * result.height + mask.y + mask.height);
  const joined = withoutEmptyRuns(changes);
  const total = result.width * result.height;
  const counts = [...joined, total].map((end, k) => end - (k > 0 ? joined[k - 1] : 0));
  if (counts[counts.length - 1] === 0) counts.pop();
  return { counts, area, box: area ? [x1, y1, x2 - x1, y2 - y1] : [0, 0, 0, 0] };
}

/** A run that ends where the next one starts is one run. */
function withoutEmptyRuns(changes) {
  const kept = [];
  for (const change of changes) {
    if (kept.length && kept[kept.length - 1] === change) kept.pop();
    else kept.push(change);
  }
  return kept;
}

/** COCO's text of run lengths: 5 bits a character; from the fourth number on, differences to the last but one. */
export function compress(counts) {
  let text = "";
  counts.forEach((count, k) => {
    let rest = k > 2 ? count - counts[k - 2] : count;
    for (let more = true; more; ) {
      let group = rest & 31;
      rest >>= 5;
      more = group & 16 ? rest !== -1 : rest !== 0;
      if (more) group |= 32;
      text += String.fromCharCode(group + 48);
    }
  });
  return text;
}

/** Annotations of the objects of a picture; those without a pixel are left out. */
export function annotations(result, items) {
  return items.flatMap((item) => {
    const { counts, area, box } = maskRuns(result, item);
    if (area === 0) return [];
    return [
      {
        category_id: result.categoryIds[item.label],
        bbox: box,
        area,
        iscrowd: 0,
        segmentation: { size: [result.height, result.width], counts: compress(counts) },
        corrected: item.corrected,
      },
    ];
  });
}

/** A COCO file of pictures: [{file_name, height, width, annotations}]. */
export function cocoFile(pictures, { class_names: names, category_ids: ids }) {
  const images = pictures.map(({ file_name, height, width }, k) => ({ id: k + 1, file_name, height, width }));
  const rows = pictures.flatMap((picture, k) => picture.annotations.map((row) => ({ image_id: k + 1, ...row })));
  return {
    images,
    annotations: rows.map((row, k) => ({ id: k + 1, ...row })),
    categories: names.map((name, k) => ({ id: ids[k], name })),
  };
}
