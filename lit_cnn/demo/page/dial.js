// The dial: its knob, the picture whose blocks change places, and the chart of accuracies.

import { percent } from "./views.js";

const SVG = "http://www.w3.org/2000/svg";
const SIDE = 28;  // pixels of a digit
const NAMES = { mlp_mnist: "MLP", cnn_mnist: "CNN" };
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

function shape(parent, name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return parent.appendChild(made);
}

export class Knob {
  /** A knob with a stop for each block size, and a slider for the keyboard; calls `turned` with the stop's number. */
  constructor(svg, slider, blocks, turned) {
    Object.assign(this, { slider, turned });
    const angle = (i) => -135 + (270 * i) / (blocks.length - 1);
    const at = (i, radius) => {
      const radians = (angle(i) * Math.PI) / 180;
      return [radius * Math.sin(radians), -radius * Math.cos(radians)];
    };
    blocks.forEach((block, i) => {
      const [[x1, y1], [x2, y2], [x, y]] = [at(i, 63), at(i, 71), at(i, 89)];
      shape(svg, "line", { class: "tick", x1, y1, x2, y2 });
      shape(svg, "text", { x, y, "data-stop": i }, String(block)).addEventListener("click", () => this.turn(i));
    });
    shape(svg, "circle", { class: "body", r: 54 });
    this.pointer = shape(svg, "g", { class: "pointer" });
    shape(this.pointer, "line", { x1: 0, y1: -22, x2: 0, y2: -42 });
    const nearest = (event) => {
      const box = svg.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left - box.width / 2, event.clientY - box.top - (box.height * 105) / 190];
      const pointed = (Math.atan2(x, -y) * 180) / Math.PI;
      const far = (i) => Math.abs(angle(i) - pointed);
      return blocks.map((_, i) => i).reduce((best, i) => (far(i) < far(best) ? i : best));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      this.turn(nearest(event));
    });
    svg.addEventListener("pointermove", (event) => { if (event.buttons) this.turn(nearest(event)); });
    slider.max = blocks.length - 1;
    slider.addEventListener("input", () => this.turn(Number(slider.value)));
    this.labels = [...svg.querySelectorAll("text")];
    this.angle = angle;
  }

  turn(stop) {
    if (stop === this.stop) return;
    this.stop = stop;
    this.slider.value = stop;
    this.pointer.style.transform = `rotate(${this.angle(stop)}deg)`;
    this.labels.forEach((label, i) => label.classList.toggle("on", i === stop));
    this.turned(stop);
  }
}

export class Shuffle {
  /** The picture whose pixels move from their places to those of an order. */
  constructor(canvas, orders) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    const identity = Array.from({ length: SIDE * SIDE }, (_, i) => i);
    this.places = orders.map((order) => {  // where each old pixel goes
      const places = identity.slice();
      order?.forEach((old, now) => { places[old] = now; });
      return places;
    });
    this.grey = new Uint8ClampedArray(SIDE * SIDE);
    this.stop = orders.length - 1;
    this.#draw(this.places[this.stop], this.places[this.stop], 1);
  }

  /** Shows another picture, a PNG of 28 x 28 in a data URL; none for an empty one. */
  async show(url) {
    if (url) {
      const image = new Image();
      image.src = url;
      await image.decode();
      const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, SIDE, SIDE);
      this.grey = this.grey.map((_, i) => data[4 * i]);
    } else {
      this.grey.fill(0);
    }
    if (!this.moving) this.#draw(this.places[this.stop], this.places[this.stop], 1);
  }

  /** Lets the blocks fly to their places at another stop of the dial. */
  turn(stop, block) {
    const [from, to] = [this.places[this.stop], this.places[stop]];
    this.stop = stop;
    this.block = block;
    const began = performance.now();
    const me = (this.moving = {});
    const step = () => {
      if (this.moving !== me) return;  // turned again
      const share = STILL.matches ? 1 : Math.min((performance.now() - began) / 650, 1);
      this.#draw(from, to, share * share * (3 - 2 * share));
      if (share < 1) requestAnimationFrame(step);
      else this.moving = null;
    };
    step();
  }

  #draw(from, to, share) {
    const { context, canvas } = this;
    const size = canvas.width / SIDE;
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    this.grey.forEach((level, i) => {
      if (!level) return;
      const [x, y] = [from[i] % SIDE, Math.floor(from[i] / SIDE)];
      const [right, down] = [to[i] % SIDE - x, Math.floor(to[i] / SIDE) - y];
      context.fillStyle = `rgb(${level} ${level} ${level})`;
      context.fillRect((x + right * share) * size, (y + down * share) * size, size, size);
    });
    if (share < 1 || !(this.block > 1 && this.block < SIDE)) return;
    context.strokeStyle = "#7f8fbf90";
    for (let line = this.block; line < SIDE; line += this.block) {
      context.strokeRect(line * size, -9, 0, canvas.height + 18);
      context.strokeRect(-9, line * size, canvas.width + 18, 0);
    }
  }
}

export class Chart {
  /** Test accuracy against block size: a line for each network and each kind of training. */
  constructor(svg, finding, { blocks, accuracies }) {
    Object.assign(this, { svg, finding, blocks, accuracies });
  }

  show(stop, training) {
    this.svg.replaceChildren();
    const [left, right, top, bottom] = [62, 660, 14, 200];
    const x = (i) => left + 24 + ((right - left - 48) * i) / (this.blocks.length - 1);
    const lowest = training === "whole" ? 0 : 0.75;
    const y = (share) => bottom - ((bottom - top) * (share - lowest)) / (1 - lowest);
    for (const share of [0, 0.2, 0.4, 0.6, 0.8, 1].map((part) => lowest + part * (1 - lowest))) {
      shape(this.svg, "line", { class: "grid", x1: left, x2: right, y1: y(share), y2: y(share) });
      shape(this.svg, "text", { x: left - 8, y: y(share) + 5, "text-anchor": "end" }, `${Math.round(100 * share)} %`);
    }
    this.blocks.forEach((block, i) => shape(this.svg, "text", { x: x(i), y: bottom + 20, "text-anchor": "middle" }, block));
    shape(this.svg, "text", { x: (left + right) / 2, y: bottom + 43, "text-anchor": "middle" },
      "block size k (pixels) · test accuracy on 10,000 digits of MNIST");
    shape(this.svg, "line", { class: "now", x1: x(stop), x2: x(stop), y1: top, y2: bottom });
    const ends = Object.keys(NAMES).map((network, number) => {
      const line = this.accuracies[training][network];
      const group = shape(this.svg, "g", { class: `of-${number}` });
      shape(group, "path", { d: line.map((share, i) => `${i ? "L" : "M"}${x(i)} ${y(share)}`).join("") });
      line.forEach((share, i) => shape(group, "circle", { cx: x(i), cy: y(share), r: i === stop ? 8 : 5 }));
      return [y(line.at(-1)) + 5, network, number, line[stop]];
    });
    ends.sort(([a], [b]) => a - b).forEach(([height, network, number, share], i) => {
      const text = `${NAMES[network]}: ${percent(share)} at k = ${this.blocks[stop]}`;
      const apart = i ? Math.max(height, ends[i - 1][0] + 19) : height;
      ends[i][0] = apart;
      shape(this.svg, "text", { class: `name of-${number}`, x: right - 12, y: apart }, text);
    });
    this.finding.textContent = this.#words(stop, training);
  }

  #words(stop, training) {
    const [mlp, cnn] = Object.keys(NAMES).map((network) => this.accuracies[training][network]);
    const [k, lost] = [this.blocks[stop], (line) => `${(100 * (line.at(-1) - line[stop])).toFixed(1)} points`];
    if (stop === this.blocks.length - 1) {
      return "On whole digits the CNN is better: it uses neighbours, and the same filters everywhere.";
    }
    if (training === "whole") {
      return `Both were trained on whole digits. On digits shuffled with k = ${k} the MLP loses ${lost(mlp)}, ` +
        `the CNN ${lost(cnn)}.`;
    }
    return `Trained on digits shuffled with k = ${k}, the MLP loses ${lost(mlp)} compared with whole digits, ` +
      `the CNN ${lost(cnn)}. The MLP does not know which pixels are neighbours, so it should lose nothing. But this ` +
      "is only one network of each kind, and another seed changes an accuracy by a point or two.";
  }
}
