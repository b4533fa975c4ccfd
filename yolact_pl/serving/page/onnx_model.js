// An exported model with layout=coefficients, computed in the browser by onnxruntime-web.

import * as ort from "../onnxruntime/ort.wasm.min.mjs";
import { networkInput, place } from "./network_input.js";
import { Result } from "./result.js";

const MIN_SCORE = 0.3;

export class OnnxModel {
  /** Classes and options; loads the model. */
  async model() {
    const about = await (await fetched("metadata.json")).json();
    ort.env.wasm.wasmPaths = new URL("onnxruntime/", document.baseURI).href;
    if (!crossOriginIsolated) ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = true; // in a worker: the page stays alive
    this.about = about;
    const file = new Uint8Array(await (await fetched("model.onnx")).arrayBuffer());
    this.session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
    return {
      name: about.checkpoint.name,
      engine: "onnxruntime-web",
      device: "this browser",
      image_size: about.image_size,
      class_names: about.class_names,
      category_ids: about.category_ids,
      min_score: Math.max(MIN_SCORE, about.score_threshold),
      iou_threshold: about.iou_threshold,
    };
  }

  /** @param blob of an image file; see `Server.analyze` */
  async analyze(blob, minScore) {
    const pixels = await decoded(blob);
    const where = place([pixels.height, pixels.width], this.about.resize, this.about.image_size);
    const Kind = this.about.input === "uint8" ? Uint8Array : Float32Array;
    const input = new ort.Tensor(this.about.input, networkInput(pixels, where, Kind), [1, ...where.canvas, 3]);
    return this.result(await this.session.run({ images: input }), pixels, where, minScore);
  }

  result(outputs, { width, height }, where, minScore) {
    const [, count, mapHeight, mapWidth] = outputs.prototypes.dims;
    const boxes = rows(outputs.boxes.data, 4).map(([x1, y1, x2, y2]) => [
      ((x1 - where.left) / where.width) * width,
      ((y1 - where.top) / where.height) * height,
      ((x2 - where.left) / where.width) * width,
      ((y2 - where.top) / where.height) * height,
    ]);
    const scores = [...outputs.scores.data];
    const touches = ([x1, y1, x2, y2]) =>
      Math.max(Math.min(x1, x2), 0) < Math.min(Math.max(x1, x2), width) &&
      Math.max(Math.min(y1, y2), 0) < Math.min(Math.max(y1, y2), height);
    const found = [...scores.keys()].filter((k) => scores[k] > minScore && touches(boxes[k]));
    const coefficients = rows(outputs.coefficients.data, count);
    return new Result({
      size: [height, width],
      inputSize: where.canvas,
      place: where,
      classNames: this.about.class_names,
      categoryIds: this.about.category_ids,
      iouThreshold: this.about.iou_threshold,
      prototypes: { count, height: mapHeight, width: mapWidth, values: outputs.prototypes.data },
      objects: {
        boxes: found.map((k) => boxes[k]),
        scores: found.map((k) => scores[k]),
        labels: found.map((k) => Number(outputs.labels.data[k])),
        coefficients: found.map((k) => coefficients[k]),
      },
    });
  }
}

async function fetched(name) {
  const answer = await fetch(name).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} cannot be loaded: host the folder with a web server`);
  return answer;
}

/** {data, width, height} RGBA, upright. */
async function decoded(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, picture.width, picture.height);
}

function rows(data, length) {
  return Array.from({ length: data.length / length }, (_, k) => [...data.subarray(k * length, (k + 1) * length)]);
}
