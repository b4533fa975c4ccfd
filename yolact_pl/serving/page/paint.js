// What is drawn over the picture. Places and lengths are pixels of the canvas.

import { css, indexColor, textColor } from "./colors.js";
import { resample, screenGrid, softMask } from "./masks.js";

const ALPHA = 0.45;
/** Half the width of a mask's outline. */
const OUTLINE = 1.3;
const CROSS = 9;

/**
 * The masks of objects, the last one above the others; they replace what the canvas shows.
 *
 * @param place {left, top, zoom} of the picture on the canvas
 */
export function paintMasks(context, result, items, selected, place) {
  const { width, height } = context.canvas;
  const pixels = context.createImageData(width, height);
  const grid = screenGrid(result, { ...place, width, height });
  for (const item of items) {
    paint(pixels, resample(result, softMask(result, item), grid), indexColor(item.label), item === selected);
  }
  context.putImageData(pixels, 0, 0);
}

/** Blend a mask's area and outline over what is painted already. */
function paint({ data, width }, mask, [red, green, blue], chosen) {
  const { values } = mask;
  const outline = (chosen ? 2 : 1) * OUTLINE * devicePixelRatio;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      const i = y * mask.width + x;
      const value = values[i];
      if (value <= 0) continue;
      // How far the outline is: its value is 0.5, and it changes by the slope.
      const across = Math.abs((values[i + (x + 1 < mask.width ? 1 : -1)] ?? value) - value);
      const down = Math.abs((values[i + (y + 1 < mask.height ? 1 : -1) * mask.width] ?? value) - value);
      const away = (value - 0.5) / Math.max(Math.hypot(across, down), 1e-4);
      const area = ALPHA * clamp(away + 0.5);
      const line = clamp(outline - Math.abs(away) + 0.5);
      const alpha = Math.max(area, 0.95 * line);
      if (alpha <= 0) continue;
      const at = 4 * ((mask.y + y) * width + mask.x + x);
      const under = (data[at + 3] / 255) * (1 - alpha);
      const total = alpha + under;
      data[at] = (red * alpha + data[at] * under) / total;
      data[at + 1] = (green * alpha + data[at + 1] * under) / total;
      data[at + 2] = (blue * alpha + data[at + 2] * under) / total;
      data[at + 3] = 255 * total;
    }
  }
}

/** The box of an object with its class and score; dashed if a person changed it. */
export function drawBox(context, item, chosen, [x1, y1, x2, y2], classNames) {
  const color = indexColor(item.label);
  const ratio = devicePixelRatio;
  context.strokeStyle = css(color);
  context.lineWidth = (chosen ? 2.5 : 1) * ratio;
  context.setLineDash(item.corrected ? [6 * ratio, 3 * ratio] : []);
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.setLineDash([]);
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  const text = `${classNames[item.label]} ${item.drawn ? "drawn" : item.score.toFixed(2)}`;
  const width = context.measureText(text).width + 8 * ratio;
  const height = 17 * ratio;
  const x = Math.min(Math.max(x1, 0), Math.max(context.canvas.width - width, 0));
  const y = y1 >= height ? y1 - height : Math.max(y1, 0);
  context.fillStyle = css(color);
  context.fillRect(x, y, width, height);
  context.fillStyle = textColor(color);
  context.fillText(text, x + 4 * ratio, y + 12.5 * ratio);
}

/** @param clicks [column, row, whether it adds] each */
export function drawClicks(context, clicks) {
  const ratio = devicePixelRatio;
  for (const [column, row, adds] of clicks) {
    context.beginPath();
    context.arc(column, row, 5 * ratio, 0, 2 * Math.PI);
    context.fillStyle = adds ? "#1a9850" : "#d73027";
    context.fill();
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = "#fff";
    context.stroke();
  }
}

/** The box that is being drawn. */
export function drawRectangle(context, [x1, y1, x2, y2]) {
  const ratio = devicePixelRatio;
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5 * ratio;
  context.setLineDash([5 * ratio, 4 * ratio]);
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.setLineDash([]);
}

/** The place that the keyboard has. */
export function drawCross(context, [x, y]) {
  const reach = CROSS * devicePixelRatio;
  for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width * devicePixelRatio;
    context.beginPath();
    context.moveTo(x - reach, y);
    context.lineTo(x + reach, y);
    context.moveTo(x, y - reach);
    context.lineTo(x, y + reach);
    context.stroke();
  }
}

function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}
