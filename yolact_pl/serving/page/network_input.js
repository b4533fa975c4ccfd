// Pictures as the network's input: placed and resized as the Python predictor does it.

const PADDING = [124, 117, 104];
const LONGEST = [5, 3];
const STEP = 32;

/** {canvas: [height, width], top, left, height, width} of a picture on the input; see Python's `Resize`. */
export function place([height, width], mode, [inputHeight, inputWidth]) {
  if (mode === "stretch") {
    return { canvas: [inputHeight, inputWidth], top: 0, left: 0, height: inputHeight, width: inputWidth };
  }
  if (mode === "letterbox") {
    const scale = Math.min(inputHeight / height, inputWidth / width);
    const [down, across] = scaled(height, width, scale);
    const top = Math.floor((inputHeight - down) / 2);
    const left = Math.floor((inputWidth - across) / 2);
    return { canvas: [inputHeight, inputWidth], top, left, height: down, width: across };
  }
  const shortest = Math.min(inputHeight, inputWidth);
  let longest = Math.max(inputHeight, inputWidth);
  if (shortest === longest) longest = Math.floor((shortest * LONGEST[0]) / LONGEST[1]);
  const scale = Math.min(shortest / Math.min(height, width), longest / Math.max(height, width));
  const [down, across] = scaled(height, width, scale);
  const canvas = [down, across].map((side) => Math.ceil(side / STEP) * STEP);
  return { canvas, top: 0, left: 0, height: down, width: across };
}

/**
 * The pixels of the input, height x width x 3: bilinear, not antialiased.
 *
 * @param pixels {data, width, height}, RGBA
 * @param where see `place`
 * @param Kind Uint8Array, then rounded, or Float32Array
 */
export function networkInput({ data, width, height }, where, Kind) {
  const [canvasHeight, canvasWidth] = where.canvas;
  const out = new Kind(canvasHeight * canvasWidth * 3);
  for (let i = 0; i < out.length; i++) out[i] = PADDING[i % 3];
  const across = sources(width, where.width);
  const down = sources(height, where.height);
  const whole = Kind === Uint8Array;
  for (let y = 0; y < where.height; y++) {
    const upper = down.before[y] * width;
    const lower = down.after[y] * width;
    let to = ((where.top + y) * canvasWidth + where.left) * 3;
    for (let x = 0; x < where.width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const left = across.before[x] * 4 + channel;
        const right = across.after[x] * 4 + channel;
        const top = mix(data[upper * 4 + left], data[upper * 4 + right], across.weight[x]);
        const bottom = mix(data[lower * 4 + left], data[lower * 4 + right], across.weight[x]);
        const value = mix(top, bottom, down.weight[y]);
        out[to++] = whole ? halfToEven(value) : value;
      }
    }
  }
  return out;
}

function sources(length, newLength) {
  const scale = Math.fround(length / newLength);
  const before = new Int32Array(newLength);
  const after = new Int32Array(newLength);
  const weight = new Float32Array(newLength);
  for (let i = 0; i < newLength; i++) {
    const position = Math.max(Math.fround(scale * (i + 0.5) - 0.5), 0);
    before[i] = Math.min(Math.floor(position), length - 1);
    after[i] = Math.min(before[i] + 1, length - 1);
    weight[i] = position - before[i];
  }
  return { before, after, weight };
}

function scaled(height, width, scale) {
  return [height, width].map((side) => Math.max(1, halfToEven(side * scale)));
}

/** The nearest whole number, of two the even one, as numpy and Python round. */
function halfToEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function mix(first, second, weight) {
  return Math.fround(first + weight * (second - first));
}
