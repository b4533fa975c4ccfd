// How much each prototype contributes to the mask of an object.

import { cropWindow, logits } from "./masks.js";

/**
 * Mean of coefficient x prototype over the pixels of the object's mask (over its window, if it has none).
 *
 * @returns [{index, contribution}], from the strongest for the object to the strongest against it
 */
export function contributions(result, item) {
  const { prototypes } = result;
  const window = cropWindow(result, item.box);
  const columns = window[2] - window[0];
  const sum = logits(prototypes, item.coefficients, window);
  let inside = [...sum.keys()].filter((i) => sum[i] > 0);
  if (inside.length === 0) inside = [...sum.keys()];
  const places = inside.map((i) => (window[1] + Math.floor(i / columns)) * prototypes.width + window[0] + (i % columns));
  const length = prototypes.height * prototypes.width;
  const found = Array.from({ length: prototypes.count }, (_, index) => {
    let total = 0;
    for (const place of places) total += prototypes.values[index * length + place];
    return { index, contribution: (item.coefficients[index] * total) / Math.max(places.length, 1) };
  });
  return found.sort((one, other) => other.contribution - one.contribution);
}

/** The largest |coefficient x prototype| of an object, the end of the heat maps' color scale. */
export function largest({ prototypes }, item) {
  const length = prototypes.height * prototypes.width;
  let most = 1e-6;
  for (let k = 0; k < prototypes.count; k++) {
    let high = 0;
    for (let i = k * length; i < (k + 1) * length; i++) high = Math.max(high, Math.abs(prototypes.values[i]));
    most = Math.max(most, high * Math.abs(item.coefficients[k]));
  }
  return most;
}

/** Draws coefficient x prototype over the picture's part of the map: red for the object, blue against it. */
export function drawHeatMap(canvas, result, item, index, end) {
  const { prototypes, region } = result;
  const [x1, y1] = [Math.floor(region.left), Math.floor(region.top)];
  const x2 = Math.min(Math.max(Math.ceil(region.left + region.width), x1 + 1), prototypes.width);
  const y2 = Math.min(Math.max(Math.ceil(region.top + region.height), y1 + 1), prototypes.height);
  canvas.width = x2 - x1;
  canvas.height = y2 - y1;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const weight = item.coefficients[index] / end;
  let to = 0;
  for (let y = y1; y < y2; y++) {
    for (let x = x1; x < x2; x++) {
      const value = weight * prototypes.values[(index * prototypes.height + y) * prototypes.width + x];
      const strength = Math.sqrt(Math.min(Math.abs(value), 1));
      const [red, green, blue] = value > 0 ? [203, 24, 29] : [33, 102, 172];
      pixels.data[to++] = 247 + (red - 247) * strength;
      pixels.data[to++] = 247 + (green - 247) * strength;
      pixels.data[to++] = 247 + (blue - 247) * strength;
      pixels.data[to++] = 255;
    }
  }
  context.putImageData(pixels, 0, 0);
  const [left, top] = result.toMap(item.box[0], item.box[1]);
  const [right, bottom] = result.toMap(item.box[2], item.box[3]);
  context.strokeStyle = "#111";
  context.lineWidth = Math.max(canvas.width / 90, 0.5);
  context.strokeRect(left - x1, top - y1, right - left, bottom - top);
}
