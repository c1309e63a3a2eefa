// The journey graph: pan, zoom, details, a slider for rare moves, search, and all of it by keyboard.
// Names from data enter the page as text only (textContent), never as markup.
(() => {
  "use strict";
  const SMALLEST = 0.5; // pixels of the page for one of the drawing that can be read
  const LARGEST = 1.3;
  const LISTED = 6; // moves in and out that the details name

  for (const box of document.querySelectorAll(".network")) start(box);

  function start(box) {
    const svg = box.querySelector("svg");
    const details = box.querySelector(".details");
    const slider = box.querySelector("input[type=range]");
    const search = box.querySelector("input[type=search]");
    const nodes = [...svg.querySelectorAll(".node")].sort((a, b) => a.dataset.i - b.dataset.i);
    // drawn from rare to frequent, so that frequent moves lie on top; ranked the other way round
    const edges = [...svg.querySelectorAll(".edge")].reverse();
    const total = Number(box.dataset.total);
    const whole = svg.viewBox.baseVal;
    const graph = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
    let view = { ...graph };
    const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
    let held = null; // what a click holds, so that the pointer may leave

    box.classList.add("live");
    for (const edge of edges) {
      // a thin line is hard to hit: a wide one that is not seen lies on it
      const hit = edge.firstElementChild.cloneNode();
      hit.removeAttribute("stroke-width");
      hit.setAttribute("class", "hit");
      edge.prepend(hit);
    }

    // ------------------------------------------------------------------ the view

    const ratio = () =>
      svg.clientWidth && svg.clientHeight ? svg.clientHeight / svg.clientWidth : graph.h / graph.w;
    const within = (w) => Math.min(Math.max(w, graph.w / 12), 1.5 * Math.max(graph.w, graph.h / ratio(), (svg.clientWidth || 0) / LARGEST));

    function show(next) {
      const w = within(next.w);
      view = { x: next.x, y: next.y, w, h: w * ratio() };
      svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    }
    function home() {
      // a small graph is not blown up
      const w = Math.max(graph.w, graph.h / ratio(), (svg.clientWidth || 0) / LARGEST);
      show({ x: graph.x + (graph.w - w) / 2, y: graph.y + (graph.h - w * ratio()) / 2, w });
    }
    function begin() {
      home();
      // where the whole graph is too small to read, begin with its first columns
      if (svg.clientWidth && svg.clientWidth / view.w < SMALLEST) {
        const w = svg.clientWidth / (1.2 * SMALLEST);
        show({ x: graph.x, y: centre(nodes[0]).y - (w * ratio()) / 2, w });
      }
    }
    function zoom(factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) {
      const w = within(view.w * factor);
      const f = w / view.w;
      show({ x: cx - (cx - view.x) * f, y: cy - (cy - view.y) * f, w });
    }
    function pan(dx, dy) {
      show({ ...view, x: view.x + dx, y: view.y + dy });
    }
    function at(event) {
      const point = new DOMPoint(event.clientX, event.clientY);
      return point.matrixTransform(svg.getScreenCTM().inverse());
    }
    function centre(node) {
      const { e, f } = node.transform.baseVal.consolidate().matrix;
      return { x: e + Number(node.firstElementChild.getAttribute("width")) / 2, y: f };
    }
    function reveal(node) {
      const { x, y } = centre(node);
      const inside = x > view.x && x < view.x + view.w && y > view.y && y < view.y + view.h;
      if (!inside) show({ ...view, x: x - view.w / 2, y: y - view.h / 2 });
    }

    // ------------------------------------------------------------------ details

    const name = (i) => (i === "" ? box.dataset.dropped : nodes[i].dataset.name);

    function line(tag, text) {
      const element = document.createElement(tag);
      element.dir = "auto";
      element.textContent = text;
      return element;
    }
    function light(what) {
      for (const lit of svg.querySelectorAll(".lit")) lit.classList.remove("lit");
      svg.classList.toggle("dim", Boolean(what));
      if (!what) return;
      const around = what.matches(".node")
        ? edges.filter((e) => e.dataset.u === what.dataset.i || e.dataset.v === what.dataset.i)
        : [what];
      what.classList.add("lit");
      // those that the slider leaves out too: what a node leads to is worth seeing at once
      for (const edge of around) {
        edge.classList.add("lit");
        nodes[edge.dataset.u].classList.add("lit");
        nodes[edge.dataset.v]?.classList.add("lit");
      }
    }
    function describe(what) {
      if (!what) return;
      if (what.matches(".edge")) {
        const way = `${name(what.dataset.u)} → ${name(what.dataset.v)}`;
        details.replaceChildren(line("strong", way), line("span", what.dataset.t));
        return;
      }
      const parts = [line("strong", what.dataset.name), line("span", what.dataset.t)];
      for (const [side, other, words] of [["v", "u", box.dataset.into], ["u", "v", box.dataset.out]]) {
        const near = edges.filter((e) => e.dataset[side] === what.dataset.i);
        near.sort((a, b) => b.dataset.n - a.dataset.n);
        const listed = near.slice(0, LISTED).map(
          (e) => `${name(e.dataset[other])} (${Number(e.dataset.n).toLocaleString("en")})`,
        );
        if (near.length > LISTED) listed.push(say(box.dataset.more, { n: near.length - LISTED }));
        if (near.length) parts.push(line("span", say(words, { list: listed.join(", ") })));
      }
      details.replaceChildren(...parts);
    }
    function point(what) {
      light(what || held);
      describe(what || held);
    }

    // ------------------------------------------------------------------ rare moves and search

    function draw() {
      const limit = Number(slider.value);
      let moves = 0;
      edges.forEach((edge, rank) => {
        if (rank < limit) {
          moves += Number(edge.dataset.n);
          edge.removeAttribute("display");
        } else edge.setAttribute("display", "none");
      });
      const share = total ? ((100 * moves) / total).toFixed(1) : "0.0";
      const [shown, all] = [limit, edges.length].map((n) => n.toLocaleString("en"));
      box.querySelector(".drawn").textContent = say(box.dataset.drawn, { shown, all, share: `${share}%` });
      point(null);
    }
    function find() {
      const wanted = search.value.trim().toLocaleLowerCase();
      let first = null;
      let found = 0;
      for (const node of nodes) {
        const hit = !wanted || node.dataset.name.toLocaleLowerCase().includes(wanted);
        node.classList.toggle("missed", !hit);
        if (wanted && hit) {
          found += 1;
          first ??= node;
        }
      }
      svg.classList.toggle("searching", Boolean(wanted));
      box.querySelector(".found").textContent = wanted ? say(box.dataset.found, { n: found }) : "";
      return first;
    }

    // ------------------------------------------------------------------ keyboard

    function walk(from, dx, dy) {
      const here = centre(from);
      let best = null;
      let least = Infinity;
      for (const node of nodes) {
        const there = centre(node);
        const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
        const aside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
        if (node !== from && along > 1 && along + 2 * aside < least) {
          least = along + 2 * aside;
          best = node;
        }
      }
      return best;
    }
    function enter(node) {
      if (!node) return;
      for (const other of nodes) other.setAttribute("tabindex", other === node ? "0" : "-1");
      node.focus({ preventScroll: true });
      reveal(node);
    }
    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

    svg.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      const node = event.target.closest(".node");
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (arrow && event.shiftKey) pan((arrow[0] * view.w) / 8, (arrow[1] * view.h) / 8);
      else if (arrow && node) enter(walk(node, ...arrow));
      else if (event.key === "+" || event.key === "=") zoom(0.8);
      else if (event.key === "-") zoom(1.25);
      else if (event.key === "0") home();
      else if (event.key === "Enter" && node) held = held === node ? null : node;
      else if (event.key === "Escape") {
        held = null;
        point(null);
      } else return;
      event.preventDefault();
    });
    svg.addEventListener("focusin", (event) => point(event.target.closest(".node")));
    svg.addEventListener("focusout", () => point(null));
    slider.addEventListener("input", draw);
    search.addEventListener("input", find);
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") enter(find());
      else if (event.key === "Escape") search.value = "";
      else return;
      event.preventDefault();
      find();
    });
    for (const button of box.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        if (button.dataset.act === "all") home();
        else zoom(button.dataset.act === "in" ? 0.8 : 1.25);
      });
    }

    // ------------------------------------------------------------------ pointer

    let grip = null;
    const fingers = new Map(); // where they are; two of them pinch
    svg.addEventListener("pointerover", (event) => point(event.target.closest(".node, .edge")));
    svg.addEventListener("pointerleave", () => point(null));
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") fingers.set(event.pointerId, event);
      grip = event.button === 0 && fingers.size < 2 ? { at: at(event), moved: false } : null;
    });
    svg.addEventListener("pointermove", (event) => {
      if (fingers.size === 2 && fingers.has(event.pointerId)) {
        pinch(event);
        return;
      }
      if (!grip) return;
      if (!(event.buttons & 1)) {
        grip = null;
        return;
      }
      const now = at(event);
      const dx = grip.at.x - now.x;
      const dy = grip.at.y - now.y;
      const px = svg.clientWidth / view.w;
      if (!grip.moved && Math.hypot(dx, dy) * px < 4) return;
      grip.moved = true;
      svg.setPointerCapture(event.pointerId);
      pan(dx, dy);
    });
    svg.addEventListener("pointerup", (event) => {
      if (grip && !grip.moved) {
        held = event.target.closest(".node, .edge");
        point(held);
      }
      grip = null;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      svg.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    function pinch(event) {
      const [other] = [...fingers.values()].filter((one) => one.pointerId !== event.pointerId);
      const before = fingers.get(event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      fingers.set(event.pointerId, event);
      const from = at(other);
      if (apart(event) > 0) zoom(apart(before) / apart(event), from.x, from.y);
    }
    svg.addEventListener(
      "wheel",
      (event) => {
        // the page scrolls as usual; with Ctrl, or once the graph has the focus, the graph zooms
        if (!event.ctrlKey && !svg.contains(document.activeElement)) return;
        event.preventDefault();
        const { x, y } = at(event);
        zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, x, y);
      },
      { passive: false },
    );
    addEventListener("resize", begin);
    // paper has another shape than the screen: the picture takes it from the graph
    addEventListener("beforeprint", () => svg.setAttribute("viewBox", `${graph.x} ${graph.y} ${graph.w} ${graph.h}`));
    addEventListener("afterprint", begin);
    begin();
    draw();
  }
})();
