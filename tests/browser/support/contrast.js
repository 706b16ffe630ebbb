// Runs in the page. Returns each visible text whose contrast with its background is below
// `minimum` (WCAG 2.2, 1.4.3). Ignores disabled elements and opacity.
export function findLowContrast(minimum) {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  // Converts a CSS color to red, green, blue and alpha, each between 0 and 1.
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
  };
  const blend = ([r, g, b, a], [br, bg, bb]) => [r * a + br * (1 - a), g * a + bg * (1 - a), b * a + bb * (1 - a), 1];
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backgroundOf = (node) => {
    const own = parse(getComputedStyle(node).backgroundColor);
    if (own[3] === 1) return own;
    return blend(own, node.parentElement ? backgroundOf(node.parentElement) : [1, 1, 1, 1]);
  };
  const found = new Set();
  const dialog = document.querySelector("dialog[open]");
  for (const node of (dialog ?? document.body).querySelectorAll("*")) {
    const text = [...node.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join("").trim();
    if (!text || !node.checkVisibility() || node.closest(".visually-hidden, .skip, noscript, option")) continue;
    const background = backgroundOf(node);
    const [dark, bright] = [luminance(blend(parse(getComputedStyle(node).color), background)), luminance(background)].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < minimum) found.add(`${contrast.toFixed(2)} ${node.tagName} ${node.className}: ${text.slice(0, 30)}`);
  }
  return [...found];
}
