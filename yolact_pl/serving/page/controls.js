// Buttons, sliders, keys, and what is dropped or pasted: each calls the page.

import * as editor from "./editor.js";
import { moveInList } from "./panels.js";

/** The button of each key. */
const KEYS = {
  v: "select",
  c: "correct",
  b: "box",
  "+": "closer",
  "-": "farther",
  0: "fit",
  u: "undo",
  r: "reset",
  Delete: "delete",
  s: "save",
  PageDown: "next",
  PageUp: "previous",
};

const $ = (id) => document.getElementById(id);

/** Connect the controls of the document with the page. */
export function listen(page) {
  const on = (id, kind, act) =>
    $(id).addEventListener(kind, async (event) => {
      try {
        await act(event);
      } catch (error) {
        page.tell(error);
      }
    });
  const buttons = {
    open: () => $("file").click(),
    "choose-folder": () => $("folder").click(),
    camera: () => page.toggleCamera(),
    previous: () => page.go(page.pictures.index - 1),
    next: () => page.go(page.pictures.index + 1),
    select: () => page.setMode("select"),
    correct: () => page.setMode("correct"),
    box: () => page.result && page.setMode("box"),
    closer: () => page.view.zoom(1.5),
    farther: () => page.view.zoom(1 / 1.5),
    fit: () => page.view.fit(),
    adds: () => page.setAdds(true),
    removes: () => page.setAdds(false),
    undo: () => page.edit((item) => editor.undo(page.result, item)),
    reset: () => page.edit((item) => item.reset()),
    delete: () => {
      page.edit((item) => (item.deleted = true));
      page.update();
    },
    "all-on": () => {
      page.selected.off.clear();
      page.turned();
      page.showSelected();
    },
    save: () => page.save(),
  };
  for (const [id, act] of Object.entries(buttons)) on(id, "click", act);
  on("file", "change", () => page.take($("file").files));
  on("folder", "change", () => page.take($("folder").files, { folder: true }));
  on("names", "change", () => page.go(Number($("names").value)));
  for (const id of ["score", "overlap"]) {
    on(id, "input", () => {
      page.showValues();
      page.update();
    });
  }
  on("class", "change", () => page.edit((item) => (item.label = Number($("class").value))));
  on("objects", "keydown", (event) => moveInList(event, page.items, page.selected, (item) => page.select(item)));
  listenToDocument(page);
}

function listenToDocument(page) {
  const take = (files) => page.take(files).catch((error) => page.tell(error));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  document.addEventListener("keydown", (event) => {
    const foreign = event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select");
    if (foreign || !(event.key in KEYS)) return;
    event.preventDefault();
    $(KEYS[event.key]).click();
  });
  window.addEventListener("beforeunload", (event) => {
    if (page.changed) event.preventDefault();
  });
}

/** Show whether a button is on. */
export function press(id, pressed) {
  $(id).setAttribute("aria-pressed", String(pressed));
}
