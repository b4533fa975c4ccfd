// What stands beside the picture: objects, classes, and what makes up a mask. Text is set, never parsed.

import { css, indexColor } from "./colors.js";
import { contributions, drawHeatMap, largest } from "./explain.js";

/** The list of objects; a choice calls `select(item)`. */
export function listObjects(list, items, selected, classNames, select) {
  const focused = list.contains(document.activeElement);
  list.replaceChildren(
    ...items.map((item) => {
      const row = element("li", {
        role: "option",
        tabIndex: item === selected || (!selected && item === items[0]) ? 0 : -1,
        ariaSelected: String(item === selected),
      });
      const chip = element("span", { className: "chip" });
      chip.style.background = css(indexColor(item.label));
      const words = item.drawn ? "drawn" : item.score.toFixed(2);
      row.append(chip, element("span", { className: "name", textContent: classNames[item.label] }));
      row.append(element("span", { className: "score", textContent: item.corrected ? `${words} ✎` : words }));
      row.addEventListener("click", () => select(item));
      return row;
    }),
  );
  if (focused) list.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  list.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" });
}

/** Arrow keys in the list. */
export function moveInList(event, items, selected, select) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || items.length === 0) return;
  event.preventDefault();
  const place = items.indexOf(selected) + step;
  select(items[Math.min(Math.max(place, 0), items.length - 1)]);
}

/** A switch for each class that is among the candidates; `change()` after the set of hidden labels has changed. */
export function listClasses(place, result, hidden, change) {
  const counts = new Map();
  for (const { label } of result.candidates) counts.set(label, (counts.get(label) ?? 0) + 1);
  for (const label of hidden) counts.set(label, counts.get(label) ?? 0);
  place.replaceChildren(
    ...[...counts.keys()].sort((one, other) => one - other).map((label) => {
      const row = element("label", {});
      const box = element("input", { type: "checkbox", checked: !hidden.has(label) });
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(label);
        else hidden.add(label);
        change();
      });
      const chip = element("span", { className: "chip" });
      chip.style.background = css(indexColor(label));
      row.append(box, chip, element("span", { className: "name", textContent: result.classNames[label] }));
      return row;
    }),
  );
}

/** The classes as choices, the selected object's chosen. */
export function fillClasses(select, classNames, label) {
  if (select.length !== classNames.length) {
    select.replaceChildren(...classNames.map((name, k) => element("option", { value: k, textContent: name })));
  }
  select.value = label;
}

/** The prototypes of an object as heat maps, by contribution; a click turns one off or on. */
export function explain(place, result, item, change) {
  const end = largest(result, item);
  place.replaceChildren(
    ...contributions(result, item).map(({ index, contribution }) => {
      const signed = `${contribution < 0 ? "−" : "+"}${Math.abs(contribution).toFixed(2)}`;
      const button = element("button", { type: "button", className: "prototype" });
      button.setAttribute("aria-pressed", String(!item.off.has(index)));
      button.setAttribute("aria-label", `prototype ${index}, contribution ${signed}`);
      button.dataset.index = index;
      const map = element("canvas", {});
      map.style.aspectRatio = `${result.width} / ${result.height}`;
      drawHeatMap(map, result, item, index, end);
      const words = element("span", { textContent: signed, className: contribution < 0 ? "against" : "for" });
      button.append(map, element("span", { textContent: `${index}` }), words);
      button.addEventListener("click", () => {
        if (!item.off.delete(index)) item.off.add(index);
        button.setAttribute("aria-pressed", String(!item.off.has(index)));
        change();
      });
      return button;
    }),
  );
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
