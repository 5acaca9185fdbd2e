// The drawing area: strokes, undo, and pictures that are dropped, pasted or opened.

const UNDO = 40;  // steps that are kept

export class Pad {
  /** Calls `changed` after every change. A drawing and a photo are kept apart; `mode` says which one is shown. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.changed = changed;
    this.kept = { draw: [], photo: [] };
    this.mode = "draw";
    this.at = null;
    this.#wipe();
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.at = null; });
  }

  /** Whether nothing was drawn or opened. */
  get empty() { return this.kept[this.mode].length === 0; }

  /** The picture, as a PNG in a data URL. */
  get url() { return this.canvas.toDataURL("image/png"); }

  turnTo(mode) {
    if (mode === this.mode) return;
    this[this.mode] = this.#snapshot();
    this.mode = mode;
    this.#wipe();
    if (this[mode]) this.context.putImageData(this[mode], 0, 0);
    this.changed();
  }

  clear() {
    this.kept[this.mode] = [];
    this.#wipe();
    this.changed();
  }

  undo() {
    const before = this.kept[this.mode].pop();
    if (before) this.context.putImageData(before, 0, 0);
    this.changed();
  }

  /** Shows a picture: a photo fills the area, a drawing keeps its proportions on its own background. */
  put(image) {
    this.#keep();
    const { width, height } = this.canvas;
    this.context.imageSmoothingQuality = "high";
    this.#wipe("#fff");  // under transparent parts, as in training
    if (this.mode === "photo") {
      this.context.drawImage(image, 0, 0, width, height);
    } else {
      const scale = Math.min(width / image.width, height / image.height);
      const [w, h] = [image.width * scale, image.height * scale];
      this.context.drawImage(image, 0, 0, 1, 1, 0, 0, width, height);  // its corner's colour
      this.context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
    }
    this.changed();
  }

  #wipe(colour = "#000") {
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  #snapshot() { return this.context.getImageData(0, 0, this.canvas.width, this.canvas.height); }

  #keep() {
    const kept = this.kept[this.mode];
    kept.push(this.#snapshot());
    if (kept.length > UNDO) kept.splice(1, 1);
  }

  #begin(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.#keep();
    const [red, green, blue] = this.context.getImageData(0, 0, 1, 1).data;
    const ink = red + green + blue > 382 ? "#000" : "#fff";  // dark ink on a bright picture
    Object.assign(this.context, { lineCap: "round", lineJoin: "round" });
    this.context.strokeStyle = this.mode === "photo" ? "#808080" : ink;
    this.context.lineWidth = this.mode === "photo" ? 44 : 23;
    this.at = this.#place(event);
    this.#go(event);
  }

  #go(event) {
    if (!this.at) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.context.beginPath();
    this.context.moveTo(...this.at);
    for (const each of events.length ? events : [event]) {
      this.at = this.#place(each);
      this.context.lineTo(...this.at);
    }
    this.context.stroke();
    this.changed();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }
}

/** Whether a picture has colours, so that it is a photo and not a drawing. */
export function colourful(image) {
  const canvas = new OffscreenCanvas(32, 32);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 32, 32);
  const { data } = context.getImageData(0, 0, 32, 32);
  let spread = 0;
  for (let i = 0; i < data.length; i += 4) {
    const pixel = [data[i], data[i + 1], data[i + 2]];
    spread += Math.max(...pixel) - Math.min(...pixel);
  }
  return spread / (data.length / 4) > 8;
}
