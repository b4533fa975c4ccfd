// Colors that stay with a class, the same as in drawn pictures.

const GOLDEN_RATIO = 0.618034;
const TONES = [
  [0.8, 1.0],
  [0.95, 0.8],
  [0.55, 1.0],
];

/** [red, green, blue] in 0..255. */
export function indexColor(index) {
  const [saturation, value] = TONES[index % TONES.length];
  const hue = ((0.02 + index * GOLDEN_RATIO) % 1) * 6;
  return [5, 3, 1].map((offset) => {
    const place = (offset + hue) % 6;
    return Math.round(255 * (value - value * saturation * Math.max(0, Math.min(place, 4 - place, 1))));
  });
}

export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/** Black or white, whichever can be read on a color. */
export function textColor(color) {
  const [red, green, blue] = color.map((channel) => (channel / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
