// Runs in the page: every text that is seen and stands out too little from what is behind it, with
// its contrast (WCAG 2.2, 1.4.3). What is disabled or dimmed as a whole does not count.
export function contrasts(least) {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  // Any colour that CSS knows, as red, green, blue and alpha between 0 and 1.
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
  };
  const over = ([r, g, b, a], [br, bg, bb]) => [r * a + br * (1 - a), g * a + bg * (1 - a), b * a + bb * (1 - a), 1];
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const own = parse(getComputedStyle(node).backgroundColor);
    if (own[3] === 1) return own;
    return over(own, node.parentElement ? behind(node.parentElement) : [1, 1, 1, 1]);
  };
  const found = new Set();
  const dialog = document.querySelector("dialog[open]");
  for (const node of (dialog ?? document.body).querySelectorAll("*")) {
    const text = [...node.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join("").trim();
    if (!text || !node.checkVisibility() || node.closest(".unseen, .skip, noscript, option")) continue;
    const ground = behind(node);
    const [dark, bright] = [light(over(parse(getComputedStyle(node).color), ground)), light(ground)].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < least) found.add(`${contrast.toFixed(2)} ${node.tagName} ${node.className}: ${text.slice(0, 30)}`);
  }
  return [...found];
}
