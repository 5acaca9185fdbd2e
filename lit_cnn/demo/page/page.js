// The page: what was chosen, one question at a time to the server, and its answer to the cards.

import { Chart, Knob, Shuffle } from "./dial.js";
import { colourful, Pad } from "./pad.js";
import { Card, element } from "./views.js";

const get = (id) => document.getElementById(id);
const SLIDERS = ["right", "down", "degrees", "noise"].map(get);
const TRAININGS = {
  shuffled: "For each k the two networks were trained on digits that were shuffled in the same way.",
  whole: "These two networks were trained only on whole digits, never on shuffled ones.",
};

const about = await (await fetch("about")).json();
const modes = ["draw", "photo"].filter((mode) => about.networks.some((network) => network.mode === mode));
const cards = about.networks.map((network, number) => new Card(network, number));
const state = { block: 28, training: "shuffled" };
let asking = false, again = false, pair = [], shuffle = null, chart = null, knob = null;

const pad = new Pad(get("pad"), changed);

function changed() {
  get("hint").hidden = !pad.empty;
  ask();
}

/** Asks for the looks at the picture as it is now; what changes meanwhile is asked for after the answer. */
async function ask() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  do {
    again = false;
    if (pad.empty) {
      show({ empty: true });
      continue;
    }
    const sliders = Object.fromEntries(SLIDERS.map((slider) => [slider.id, slider.value / slider.dataset.scale]));
    const question = { image: pad.url, mode: pad.mode, centre: get("centre").checked, ...sliders, ...state };
    try {
      const answer = await fetch("look", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question),
      });
      const content = await answer.json();
      if (!answer.ok) throw new Error(content.error);
      say("");
      show(content);
    } catch (error) {
      say(error instanceof TypeError ? "The demo has ended. Start it again: python -m lit_cnn demo" : error.message);
    }
  } while (again);
  asking = false;
}

function show({ empty, networks, dial }) {
  const shown = cards.filter((_, i) => about.networks[i].mode === pad.mode);
  shown.forEach((card, i) => (empty ? card.clear() : card.show(networks[i])));
  pair.forEach((card, i) => (empty || !dial ? card.clear() : card.show(dial.networks[i])));
  shuffle?.show(dial?.picture);
}

function say(text) { get("status").textContent = text; }

function turnTo(mode) {
  if (mode !== pad.mode) reset();
  for (const button of get("modes").children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  cards.forEach((card, i) => { card.node.hidden = about.networks[i].mode !== mode; });
  const { classes } = about.networks.find((network) => network.mode === mode);
  const digits = classes.join() === "0,1,2,3,4,5,6,7,8,9";
  const known = classes.length > 12 ? `one of ${classes.length} classes` : `${classes.slice(0, -1).join(", ")} or ${classes.at(-1)}`;
  get("lead").textContent = digits && mode === "draw"
    ? "Draw a digit. Small networks classify it while you draw."
    : `The networks were trained to recognise ${known}.`;
  get("hint").textContent = mode === "draw" ? `Draw ${digits ? "a digit" : "here"}, or drop an image`
    : "Drop, paste or open a photo; then cover parts of it with the grey pen";
  get("digits").hidden = mode !== "draw" || !about.digits.length;
  get("centring").hidden = mode !== "draw" || !digits;
  get("dial").hidden = mode !== "draw" || !about.dial;
  pad.turnTo(mode);
  changed();
}

async function open(file) {
  try {
    const image = await createImageBitmap(file);
    if (modes.length > 1) turnTo(colourful(image) ? "photo" : "draw");
    pad.put(image);
    say("");
  } catch {
    say("The browser cannot read this file as an image.");
  }
}

function reset() {
  for (const slider of SLIDERS) { slider.value = 0; label(slider); }
}

function label(slider) {
  slider.parentElement.querySelector("output").textContent = slider.value + slider.dataset.unit;
}

function buildDial() {
  const { blocks } = about.dial;
  shuffle = new Shuffle(get("shuffled"), about.dial.orders);
  chart = new Chart(get("chart"), get("finding"), about.dial);
  const classes = about.networks[0].classes;
  const kinds = [["MLP", "fully connected: ignores neighbours"], ["CNN", "5 × 5 filters: uses neighbours"]];
  pair = kinds.map(([kind, text], number) => new Card({ kind, name: "", about: text, classes }, number));
  pair.forEach((card, i) => card.node.setAttribute("data-network", `dial-${kinds[i][0]}`));
  get("pair").append(...pair.map((card) => card.node));
  knob = new Knob(get("knob"), get("block"), blocks, (stop) => {
    state.block = blocks[stop];
    get("k").textContent = state.block === 1 ? "1 pixel" : `${state.block} pixels`;
    shuffle.turn(stop, state.block);
    chart.show(stop, state.training);
    ask();
  });
  knob.turn(blocks.length - 1);
  for (const button of get("trainings").children) {
    button.addEventListener("click", () => {
      state.training = button.dataset.training;
      train();
      ask();
    });
  }
  train();
}

function train() {
  for (const button of get("trainings").children) {
    button.setAttribute("aria-pressed", button.dataset.training === state.training);
  }
  get("training-about").textContent = TRAININGS[state.training];
  chart.show(knob.stop, state.training);
}

get("centre").checked = about.digits.length > 0;  // not for networks of other pictures
get("networks").append(...cards.map((card) => card.node));
get("modes").hidden = modes.length < 2;
for (const button of get("modes").children) button.addEventListener("click", () => turnTo(button.dataset.mode));
for (const url of about.digits) {
  const image = element("img", { src: url, alt: "" });
  const button = element("button", { type: "button", title: "A digit of the test set" }, image);
  button.setAttribute("aria-label", `Test digit ${about.digits.indexOf(url)}`);
  button.addEventListener("click", () => pad.put(image));
  get("digits").append(button);
}
get("clear").addEventListener("click", () => pad.clear());
get("undo").addEventListener("click", () => pad.undo());
get("centre").addEventListener("change", ask);
get("file").addEventListener("change", ({ target }) => { if (target.files[0]) open(target.files[0]); target.value = ""; });
get("reset").addEventListener("click", () => { reset(); ask(); });
for (const slider of SLIDERS) {
  label(slider);
  slider.addEventListener("input", () => { label(slider); ask(); });
}
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", ({ clipboardData }) => { if (clipboardData.files[0]) open(clipboardData.files[0]); });
if (about.dial) buildDial();
turnTo(modes[0]);
