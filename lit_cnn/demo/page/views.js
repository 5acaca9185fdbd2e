// Cards: a network's answer, its probabilities, what it sees, and where its evidence lies.

const COLOURS = 6;

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function percent(share) {
  const rounded = (100 * share).toFixed(1);
  return `${share < 1 && rounded === "100.0" ? "> 99.9" : rounded} %`;
}

export class Card {
  /** A card for a network; `number` chooses its colour. */
  constructor({ kind, name, about, classes }, number) {
    this.classes = classes;
    this.short = classes.length <= 12 && classes.every((text) => text.length <= 2);
    this.answer = element("b", this.short ? {} : { class: "word" });
    this.share = element("span");
    this.bars = element("div", { class: this.short ? "bars" : "rows" });
    this.tiles = element("div", { class: "tiles" });
    this.of = element("p", { class: "of" }, about);
    const title = element("h3", {}, kind, element("small", {}, name));
    const answer = element("div", { class: "answer" }, this.answer, this.share);
    this.node = element("article", { class: `card waiting of-${number % COLOURS}`, "data-network": name });
    this.node.append(title, this.of, answer, this.bars, this.tiles);
    this.clear();
  }

  /** Shows no answer: there is no picture yet. */
  clear() {
    this.show({ probabilities: this.classes.map(() => 0), seen: null, maps: [] });
    this.node.classList.add("waiting");
    this.answer.textContent = "?";
    this.share.textContent = "";
  }

  /** Shows a look, as the server answers it. */
  show({ probabilities, seen, maps }) {
    this.node.classList.remove("waiting");
    const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
    this.answer.textContent = this.classes[order[0]];
    this.share.textContent = percent(probabilities[order[0]]);
    if (this.short) this.#columns(probabilities, order[0]);
    else this.#rows(probabilities, order.slice(0, 5));
    const pictures = [{ title: "What it sees", image: seen }, ...(maps.length ? maps : [{ title: "", image: null }])];
    this.tiles.classList.toggle("three", pictures.length === 3);
    while (this.tiles.children.length > pictures.length) this.tiles.lastChild.remove();
    pictures.forEach(({ title, image }, i) => {
      const tile = this.tiles.children[i] ?? this.tiles.appendChild(
        element("figure", {}, element("img", { alt: "" }), element("figcaption")));
      const [picture, caption] = tile.children;
      if (image) picture.src = image;
      else picture.removeAttribute("src");
      picture.alt = caption.textContent = title;
    });
  }

  #columns(probabilities, best) {
    if (!this.bars.children.length) {
      for (const text of this.classes) {
        this.bars.append(element("div", {}, element("i", {}, element("u")), text));
      }
    }
    [...this.bars.children].forEach((column, i) => {
      column.classList.toggle("best", i === best && probabilities[i] > 0);
      column.title = percent(probabilities[i]);
      column.querySelector("u").style.height = `${100 * probabilities[i]}%`;
    });
  }

  #rows(probabilities, order) {
    while (this.bars.children.length < order.length) {
      this.bars.append(element("div", {}, element("span"), element("i", {}, element("u")), element("em")));
    }
    order.forEach((which, i) => {
      const [name, bar, share] = this.bars.children[i].children;
      name.textContent = name.title = this.classes[which];
      bar.firstChild.style.width = `${100 * probabilities[which]}%`;
      share.textContent = percent(probabilities[which]);
    });
  }
}
