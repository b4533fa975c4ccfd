// Masks from coefficients and prototypes, at any size.
//
// A soft mask is cropped to its box and 1 pixel of padding at the prototypes' resolution, seen bilinearly, and
// cut at 0.5 (YOLACT, section 3.3): the same numbers as the Python results.

const PADDING = 1;

/** [x1, y1, x2, y2] in whole pixels of the map, which a box leaves of its mask. */
export function cropWindow(result, box) {
  const { height, width } = result.prototypes;
  const [ax, ay] = result.toMap(box[0], box[1]);
  const [bx, by] = result.toMap(box[2], box[3]);
  const fit = (value, limit) => Math.ceil(Math.min(Math.max(value, 0), limit));
  return [
    fit(Math.min(ax, bx) - PADDING, width),
    fit(Math.min(ay, by) - PADDING, height),
    fit(Math.max(ax, bx) + PADDING, width),
    fit(Math.max(ay, by) + PADDING, height),
  ];
}

/** Float32Array of the window: the prototypes combined by the coefficients. */
export function logits(prototypes, coefficients, [x1, y1, x2, y2]) {
  const columns = Math.max(x2 - x1, 0);
  const rows = Math.max(y2 - y1, 0);
  const sum = new Float32Array(columns * rows);
  for (let k = 0; k < prototypes.count; k++) {
    const weight = coefficients[k];
    if (weight === 0) continue;
    for (let y = 0; y < rows; y++) {
      let from = (k * prototypes.height + y1 + y) * prototypes.width + x1;
      const end = (y + 1) * columns;
      for (let i = y * columns; i < end; i++) sum[i] += weight * prototypes.values[from++];
    }
  }
  return sum;
}

/** {window, values}: values in 0..1 of the window of an object; kept until it changes. */
export function softMask(result, item) {
  if (item.soft === null) {
    const window = cropWindow(result, item.box);
    const values = logits(result.prototypes, item.shownCoefficients, window);
    for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-values[i]));
    item.soft = { window, values };
  }
  return item.soft;
}

/** How pixels of a result lie on the map: along an axis, pixel i is at origin + scale x (i + 0.5). */
export function imageGrid(result) {
  const { top, left, height, width } = result.region;
  return {
    x: { origin: left, scale: width / result.width, length: result.width },
    y: { origin: top, scale: height / result.height, length: result.height },
  };
}

/** The same for a picture that is shown `zoom` times as large, its corner at (left, top) of a canvas. */
export function screenGrid(result, { left, top, zoom, width, height }) {
  const { x, y } = imageGrid(result);
  const along = (axis, offset, length, picture) => ({
    origin: axis.origin - (axis.scale * offset) / zoom,
    scale: axis.scale / zoom,
    length,
    first: Math.max(Math.floor(offset), 0),
    end: Math.min(Math.ceil(offset + picture * zoom), length),
  });
  return { x: along(x, left, width, result.width), y: along(y, top, height, result.height) };
}

/**
 * A soft mask at the pixels of a grid, where it can exceed 0.5.
 *
 * @returns {x, y, width, height, values: Float32Array}, the rectangle in pixels of the grid
 */
export function resample(result, { window, values }, grid) {
  const [x1, y1, x2, y2] = window;
  const across = sources(grid.x, x1, x2, result.prototypes.width);
  const down = sources(grid.y, y1, y2, result.prototypes.height);
  const columns = x2 - x1;
  const out = new Float32Array(across.count * down.count);
  if (columns <= 0 || y2 <= y1) return { x: 0, y: 0, width: 0, height: 0, values: new Float32Array(0) };
  let at = 0;
  for (let j = 0; j < down.count; j++) {
    const upper = down.before[j];
    const lower = down.after[j];
    const v = down.weight[j];
    for (let i = 0; i < across.count; i++) {
      const before = across.before[i];
      const after = across.after[i];
      const u = across.weight[i];
      const top = mix(value(before, upper), value(after, upper), u);
      out[at++] = mix(top, mix(value(before, lower), value(after, lower), u), v);
    }
  }
  return { x: across.start, y: down.start, width: across.count, height: down.count, values: out };

  function value(x, y) {
    return x < 0 || y < 0 ? 0 : values[y * columns + x];
  }
}

function mix(first, second, weight) {
  return first + weight * (second - first);
}

/** Where the pixels of an axis that a window reaches come from; -1 stands for outside of the window. */
function sources({ origin, scale, length, first = 0, end = length }, windowStart, windowEnd, mapLength) {
  const start = Math.max(Math.floor((windowStart - origin) / scale - 0.5) - 1, first);
  const stop = Math.min(Math.ceil((windowEnd - origin) / scale - 0.5) + 2, end);
  const count = Math.max(stop - start, 0);
  const before = new Int32Array(count);
  const after = new Int32Array(count);
  const weight = new Float32Array(count);
  const inside = (place) => (place >= windowStart && place < windowEnd ? place - windowStart : -1);
  for (let i = 0; i < count; i++) {
    const position = Math.max(origin + scale * (start + i + 0.5) - 0.5, 0);
    const left = Math.min(Math.floor(position), mapLength - 1);
    before[i] = inside(left);
    after[i] = inside(Math.min(left + 1, mapLength - 1));
    weight[i] = position - left;
  }
  return { start, count, before, after, weight };
}

/** The value of an object's shown mask at a point of the picture, 0..1. */
export function valueAt(result, item, x, y) {
  const { window, values } = softMask(result, item);
  const [mapX, mapY] = result.toMap(x, y);
  const column = Math.floor(mapX);
  const row = Math.floor(mapY);
  if (column < window[0] || column >= window[2] || row < window[1] || row >= window[3]) return 0;
  return values[(row - window[1]) * (window[2] - window[0]) + column - window[0]];
}
