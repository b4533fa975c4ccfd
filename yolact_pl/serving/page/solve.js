// Coefficients that obey clicks, or a drawn box, and stay near the predicted ones: regularised least squares.

import { logits } from "./masks.js";

const MAX_SAMPLES = 1500;
/** Logit that a click asks for. */
const MARGIN = 1;
/** Pixels of the map around a click that it speaks for: prototypes can tell a pixel from its neighbours. */
const REACH = 2;
const CLICK_WEIGHT = 1000;
const LOWEST_WEIGHT = 0.02;
const ROUNDS = 6;
const BOX_LOGIT = 2;
const NEAR = 1e-3;

/**
 * Coefficients near `prior` whose mask obeys all clicks.
 *
 * Minimises the mean square by which the logits of the window change, where pixels near the outline count
 * most (weight s (1 - s) of their probability s), plus 1000 x the mean square by which the pixels around a
 * click miss its margin. Pixels that obey anyway take no part.
 *
 * @param prototypes see Result
 * @param prior Float32Array of the predicted coefficients
 * @param window [x1, y1, x2, y2] in pixels of the map
 * @param clicks [{x, y, adds}] on the map, continuous
 */
export function solveClicks(prototypes, prior, window, clicks) {
  const count = prototypes.count;
  const samples = samplePixels(prototypes, window);
  const values = logits(prototypes, prior, window);
  const columns = window[2] - window[0];
  const weights = samples.map(([x, y]) => {
    const s = 1 / (1 + Math.exp(-values[(y - window[1]) * columns + x - window[0]]));
    return Math.max(s * (1 - s), LOWEST_WEIGHT);
  });
  const metric = gram(prototypes, samples, weights);
  const asked = clicks.flatMap(({ x, y, adds }) => {
    const around = pixelsAround(prototypes, Math.floor(x), Math.floor(y));
    const [sign, weight] = [adds ? 1 : -1, CLICK_WEIGHT / around.length];
    return around.map(([column, row]) => ({ values: pixel(prototypes, column, row), sign, weight }));
  });
  const active = new Set();
  let change = new Float64Array(count);
  for (let round = 0; round < ROUNDS; round++) {
    const before = active.size;
    for (const one of asked) {
      const logit = dot(one.values, prior) + dot(one.values, change);
      if (one.sign * logit < MARGIN * 0.99) active.add(one);
    }
    if (active.size === before) break;
    const matrix = metric.slice();
    const right = new Float64Array(count);
    for (const { values: row, sign, weight } of active) {
      addOuter(matrix, row, weight);
      const missing = sign * MARGIN - dot(row, prior);
      for (let i = 0; i < count; i++) right[i] += weight * missing * row[i];
    }
    change = solveSymmetric(matrix, right, count);
  }
  return Float32Array.from(prior, (value, k) => value + change[k]);
}

/**
 * Coefficients of a new object in a box: logit 2 inside of the inscribed ellipse, -2 outside of the box.
 *
 * @param prototypes see Result
 * @param box [x1, y1, x2, y2] on the map
 * @param prior coefficients of a candidate at the same place, whose logits count as much; null: there is none
 */
export function solveBox(prototypes, box, prior) {
  const [x1, y1, x2, y2] = box;
  const half = [Math.max((x2 - x1) / 2, 0.5), Math.max((y2 - y1) / 2, 0.5)];
  const centre = [(x1 + x2) / 2, (y1 + y2) / 2];
  const window = [
    Math.max(Math.floor(x1 - half[0]), 0),
    Math.max(Math.floor(y1 - half[1]), 0),
    Math.min(Math.ceil(x2 + half[0]), prototypes.width),
    Math.min(Math.ceil(y2 + half[1]), prototypes.height),
  ];
  const samples = [];
  const targets = [];
  for (const [x, y] of samplePixels(prototypes, window)) {
    const u = Math.abs(x + 0.5 - centre[0]) / half[0];
    const v = Math.abs(y + 0.5 - centre[1]) / half[1];
    const inside = u * u + v * v <= 1;
    if (!inside && u <= 1 && v <= 1) continue; // a corner of the box may be either
    samples.push([x, y]);
    targets.push(inside ? BOX_LOGIT : -BOX_LOGIT);
  }
  const count = prototypes.count;
  const matrix = gram(prototypes, samples, samples.map(() => 1));
  const right = new Float64Array(count);
  samples.forEach(([x, y], j) => {
    const before = prior ? dot(pixel(prototypes, x, y), prior) : 0;
    const target = prior ? (targets[j] + before) / 2 : targets[j];
    for (let k = 0; k < count; k++) right[k] += (target * at(prototypes, k, x, y)) / samples.length;
  });
  return Float32Array.from(solveSymmetric(matrix, right, count));
}

/**
 * [[x, y]] of the window's pixels, every few of them where there are many. Steps are odd: prototypes that were
 * made by sub-pixel layers have a pattern of even length.
 */
function samplePixels(prototypes, [x1, y1, x2, y2]) {
  const needed = Math.ceil(Math.sqrt(((x2 - x1) * (y2 - y1)) / MAX_SAMPLES));
  const step = Math.max(needed + ((needed + 1) % 2), 1);
  const samples = [];
  for (let y = y1; y < y2; y += step) for (let x = x1; x < x2; x += step) samples.push([x, y]);
  return samples;
}

/** K x K: the weighted mean of p pᵀ over pixels, with a thousandth of its mean diagonal added. */
function gram(prototypes, samples, weights) {
  const count = prototypes.count;
  const matrix = new Float64Array(count * count);
  const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  samples.forEach(([x, y], j) => addOuter(matrix, pixel(prototypes, x, y), weights[j] / total));
  let trace = 0;
  for (let k = 0; k < count; k++) trace += matrix[k * count + k];
  for (let k = 0; k < count; k++) matrix[k * count + k] += (NEAR * trace) / count + 1e-9;
  return matrix;
}

/** Adds weight x row rowᵀ; only the lower triangle, which is all that is read. */
function addOuter(matrix, row, weight) {
  const count = row.length;
  for (let i = 0; i < count; i++) {
    const scaled = weight * row[i];
    for (let j = 0; j <= i; j++) matrix[i * count + j] += scaled * row[j];
  }
}

/** The solution of a positive definite system by Cholesky's decomposition; the matrix is overwritten. */
function solveSymmetric(matrix, right, count) {
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * count + j];
      for (let k = 0; k < j; k++) sum -= matrix[i * count + k] * matrix[j * count + k];
      matrix[i * count + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / matrix[j * count + j];
    }
  }
  const solution = Float64Array.from(right);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < i; k++) solution[i] -= matrix[i * count + k] * solution[k];
    solution[i] /= matrix[i * count + i];
  }
  for (let i = count - 1; i >= 0; i--) {
    for (let k = i + 1; k < count; k++) solution[i] -= matrix[k * count + i] * solution[k];
    solution[i] /= matrix[i * count + i];
  }
  return solution;
}

/** [[x, y]] of the map's pixels in a disc. */
function pixelsAround({ height, width }, column, row) {
  const found = [];
  for (let y = Math.max(row - REACH, 0); y <= Math.min(row + REACH, height - 1); y++) {
    for (let x = Math.max(column - REACH, 0); x <= Math.min(column + REACH, width - 1); x++) {
      if ((x - column) ** 2 + (y - row) ** 2 <= REACH ** 2) found.push([x, y]);
    }
  }
  return found;
}

function pixel(prototypes, x, y) {
  const values = new Float64Array(prototypes.count);
  for (let k = 0; k < prototypes.count; k++) values[k] = at(prototypes, k, x, y);
  return values;
}

function at({ values, height, width }, k, x, y) {
  return values[(k * height + y) * width + x];
}

function dot(one, other) {
  let sum = 0;
  for (let k = 0; k < one.length; k++) sum += one[k] * other[k];
  return sum;
}
