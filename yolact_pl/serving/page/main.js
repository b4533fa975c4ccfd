// The page: pictures in, objects out, and what a person does with them.

import { Camera } from "./camera.js";
import { annotations, cocoFile } from "./coco.js";
import { listen, press } from "./controls.js";
import * as editor from "./editor.js";
import { choose } from "./nms.js";
import { explain, fillClasses, listClasses, listObjects } from "./panels.js";
import { Pictures } from "./pictures.js";
import { View } from "./view.js";

const LOWEST_SCORE = 0.05;
const $ = (id) => document.getElementById(id);

/** @param backend what analyzes pictures: `Server`, or a model in the browser */
export async function start(backend) {
  const page = new Page(backend);
  try {
    await page.open();
  } catch (error) {
    page.tell(error);
  }
}

class Page {
  constructor(backend) {
    this.backend = backend;
    this.hidden = new Set();
    this.drawn = [];
    this.items = [];
    this.selected = null;
    this.result = null;
    this.saved = new Map();
    this.turn = 0;
    this.pictures = new Pictures(backend);
    this.camera = new Camera(
      (blob) => backend.analyze(blob, Math.max(this.minScore, LOWEST_SCORE), true),
      (picture, result, times) => this.showFrame(picture, result, times),
    );
    this.view = new View($("stage"), {
      select: (item) => this.select(item),
      click: (x, y, adds) => this.edit((item) => editor.click(this.result, item, x, y, adds)),
      draw: (box) => this.draw(box),
      edit: () => this.edit((item) => editor.solve(this.result, item)),
    });
    listen(this);
  }

  get minScore() {
    return Number($("score").value);
  }

  async open() {
    this.say("the model is loading");
    this.model = await this.backend.model();
    this.say("");
    document.title = $("model").textContent = this.model.name;
    $("model").title = `${this.model.engine} on ${this.model.device}, ${this.model.image_size.join(" x ")} pixels`;
    $("score").value = Number(this.model.min_score) || 0.3;
    $("overlap").value = this.model.iou_threshold;
    $("docs").hidden = !this.backend.folder;
    this.showValues();
    await this.pictures.ofServer();
    this.listPictures();
    if (this.pictures.length) await this.go(0);
  }

  /** Show and analyze a picture: a file or blob of an image. */
  async analyze(blob, name) {
    this.camera.stop();
    this.say("…");
    const turn = ++this.turn;
    const started = performance.now();
    const picture = await createImageBitmap(blob).catch(() => {
      throw new Error(`${name} cannot be shown by this browser: convert it to PNG or JPEG`);
    });
    const result = await this.backend.analyze(blob, LOWEST_SCORE, false);
    if (turn !== this.turn) return; // another picture was asked for meanwhile
    this.name = name;
    this.frame = null;
    this.drawn = [];
    this.showResult(picture, result);
    this.say(`${result.width} x ${result.height}, ${Math.round(performance.now() - started)} ms`);
  }

  showResult(picture, result, options) {
    this.result = result;
    this.selected = null;
    $("hint").hidden = true;
    $("overlap").max = result.iouThreshold;
    this.showValues();
    listClasses($("classes"), result, this.hidden, () => this.update());
    this.view.show(picture, result, options);
    this.update();
  }

  showFrame(picture, result, { latency, rate }) {
    this.name = `camera_${new Date().toISOString().replace(/[:.]/g, "-")}.png`;
    this.frame = picture;
    this.drawn = [];
    this.showResult(picture, result, { keepPlace: true });
    this.say(`${Math.round(latency)} ms, ${rate.toFixed(1)} frames a second`);
  }

  /** After a slider, a filter or an object has changed. */
  update() {
    if (!this.result) return;
    const limits = { minScore: this.minScore, iouThreshold: Number($("overlap").value), hiddenLabels: this.hidden };
    const shown = new Set(choose(this.result, limits));
    const predicted = this.result.candidates.filter((item) => shown.has(item) || item.corrected);
    this.items = [...this.drawn, ...predicted].filter((item) => !item.deleted);
    if (!this.items.includes(this.selected)) this.selected = null;
    this.showObjects();
    this.showSelected();
    this.view.redraw();
  }

  showObjects() {
    this.view.items = this.items;
    this.view.selected = this.selected;
    $("count").textContent = this.items.length;
    $("save").disabled = this.camera.running;
    listObjects($("objects"), this.items, this.selected, this.result.classNames, (item) => this.select(item));
  }

  showSelected() {
    const item = this.selected;
    $("explaining").hidden = !item || this.view.mode !== "select";
    $("correcting").hidden = this.view.mode === "select" || !item;
    if (!$("explaining").hidden) explain($("prototypes"), this.result, item, () => this.turned());
    if (item) fillClasses($("class"), this.result.classNames, item.label);
  }

  turned() {
    this.selected.soft = null;
    this.view.redraw();
  }

  select(item) {
    this.selected = item;
    if (!item && this.view.mode === "correct") this.setMode("select");
    this.showObjects();
    this.showSelected();
    this.view.redraw();
  }

  /** Change the selected object. */
  edit(change) {
    if (!this.selected) return;
    change(this.selected);
    this.changed = true;
    this.showObjects();
    this.showSelected();
    this.view.redraw();
  }

  draw(box) {
    const item = editor.draw(this.result, box, this.selected?.label ?? 0);
    this.drawn.push(item);
    this.changed = true;
    this.selected = item;
    this.setMode("correct");
    this.update();
  }

  setMode(mode) {
    this.view.mode = mode;
    for (const name of ["select", "correct", "box"]) press(name, name === mode);
    if (this.result) this.showSelected();
  }

  setAdds(adds) {
    this.view.adds = adds;
    press("adds", adds);
    press("removes", !adds);
  }

  async save() {
    const rows = annotations(this.result, this.items);
    const { current } = this.pictures;
    if (current?.ofServer && current.name === this.name) {
      const question = "This picture was saved before, and its objects are not those shown here. Replace them?";
      if (current.savedEarlier && !confirm(question)) return;
      const { file, pictures } = await this.backend.save(this.name, rows);
      Object.assign(current, { saved: true, savedEarlier: false });
      this.listPictures();
      this.say(`saved ${rows.length} objects: ${pictures} pictures in ${file}`);
    } else {
      const { width, height } = this.result;
      this.saved.set(this.name, { file_name: this.name, height, width, annotations: rows });
      if (this.frame) this.frame.toBlob((blob) => download(blob, this.name)); // no file has it yet
      const content = JSON.stringify(cocoFile([...this.saved.values()], this.model));
      download(new Blob([content], { type: "application/json" }), "corrections.json");
      this.say(`${rows.length} objects of ${this.name} in corrections.json, ${this.saved.size} pictures`);
    }
    this.changed = false;
  }

  async go(index) {
    if (this.leaves()) {
      const picture = this.pictures.go(index);
      $("names").value = this.pictures.index;
      await this.analyze(await picture.blob(), picture.name);
    } else $("names").value = this.pictures.index;
  }

  /** Whether the picture may be left: nothing is changed, or a person says so. */
  leaves() {
    const may = !this.changed || confirm("Leave this picture without saving its corrections?");
    if (may) this.changed = false;
    return may;
  }

  listPictures() {
    $("pictures").hidden = this.pictures.length === 0;
    const rows = this.pictures.list.map(({ name, saved }, k) => new Option(saved ? `${name} ✓` : name, k));
    $("names").replaceChildren(...rows);
    $("names").value = this.pictures.index;
  }

  async toggleCamera() {
    if (this.camera.running) {
      this.camera.stop();
      this.say("frozen");
    } else if (this.leaves()) {
      press("camera", true);
      this.setMode("select");
      try {
        await this.camera.start();
      } finally {
        press("camera", false);
        $("save").disabled = !this.result;
      }
    }
  }

  /** Files that were dropped, pasted or chosen: the first picture of them, or all of a folder. */
  async take(files, { folder = false } = {}) {
    if (!this.leaves()) return;
    if (folder || files.length > 1) {
      this.pictures.ofFiles(files);
      this.listPictures();
      if (!this.pictures.length) throw new Error("there is no picture among these files");
      await this.go(0);
    } else if (files.length) await this.analyze(files[0], files[0].name);
  }

  showValues() {
    for (const name of ["score", "overlap"]) $(`${name}-value`).textContent = Number($(name).value).toFixed(2);
  }

  say(text) {
    $("status").classList.remove("error");
    $("status").textContent = text;
  }

  tell(error) {
    $("status").classList.add("error");
    $("status").textContent = error.message;
  }
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
