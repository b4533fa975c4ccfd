// What a model says of one picture: prototypes, and candidates with the coefficients that combine them.
//
// Boxes are [x1, y1, x2, y2] in pixels of the picture. A map is what has the prototypes' resolution.

export class Result {
  /**
   * @param size [height, width] of the picture
   * @param inputSize [height, width] of the network's input
   * @param place {top, left, height, width} of the picture on the input
   * @param prototypes {count, height, width, values: Float32Array of count x height x width}
   * @param objects {boxes, scores, labels, coefficients}, an array each, best first
   * @param iouThreshold candidates that overlap a better one by more are dropped already; 1: none
   */
  constructor({ size, inputSize, place, classNames, categoryIds, prototypes, objects, iouThreshold }) {
    [this.height, this.width] = size;
    this.classNames = classNames;
    this.categoryIds = categoryIds;
    this.prototypes = prototypes;
    this.iouThreshold = iouThreshold;
    const down = prototypes.height / inputSize[0];
    const across = prototypes.width / inputSize[1];
    /** What of the map the picture covers. */
    this.region = {
      top: place.top * down,
      left: place.left * across,
      height: place.height * down,
      width: place.width * across,
    };
    this.candidates = objects.scores.map(
      (score, k) =>
        new Item({
          box: objects.boxes[k],
          score,
          label: objects.labels[k],
          coefficients: Float32Array.from(objects.coefficients[k]),
        }),
    );
  }

  /** The answer of POST /analyze. */
  static fromAnalysis(json) {
    return new Result({
      size: json.size,
      inputSize: json.input_size,
      place: json.place,
      classNames: json.class_names,
      categoryIds: json.category_ids,
      prototypes: decodePrototypes(json.prototypes),
      objects: json.objects,
      iouThreshold: json.iou_threshold,
    });
  }

  /** A point of the picture on the map, both continuous: pixel i is from i to i + 1. */
  toMap(x, y) {
    const { top, left, height, width } = this.region;
    return [left + (x / this.width) * width, top + (y / this.height) * height];
  }

  fromMap(x, y) {
    const { top, left, height, width } = this.region;
    return [((x - left) / width) * this.width, ((y - top) / height) * this.height];
  }
}

/** One object, predicted or drawn, and what a person changed of it. */
export class Item {
  static count = 0;

  constructor({ box, score, label, coefficients, drawn = false }) {
    this.id = Item.count++;
    this.predicted = { box: [...box], label, coefficients };
    this.score = score;
    this.drawn = drawn;
    this.reset();
  }

  reset() {
    this.box = [...this.predicted.box];
    this.label = this.predicted.label;
    this.coefficients = this.predicted.coefficients;
    /** [{x, y, adds}] in pixels of the picture. */
    this.clicks = [];
    this.deleted = false;
    /** Prototypes that are left out of the shown mask. */
    this.off = new Set();
    this.soft = null;
  }

  /** Whether a person changed it. */
  get corrected() {
    const { box, label } = this.predicted;
    return this.drawn || this.clicks.length > 0 || label !== this.label || box.some((side, k) => side !== this.box[k]);
  }

  /** With zero for those that are turned off. */
  get shownCoefficients() {
    if (this.off.size === 0) return this.coefficients;
    return this.coefficients.map((value, k) => (this.off.has(k) ? 0 : value));
  }
}

function decodePrototypes({ shape: [count, height, width], data, low, high }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const values = new Float32Array(bytes.length);
  const length = height * width;
  for (let k = 0; k < count; k++) {
    const step = (high[k] - low[k]) / 255;
    for (let i = k * length; i < (k + 1) * length; i++) values[i] = low[k] + bytes[i] * step;
  }
  return { count, height, width, values };
}
