// The values of a chart: under the pointer, or, with the focus on the chart, by the arrow keys.
// Without this script a browser shows the marks' titles by itself.
(() => {
  const box = document.getElementById("tip");
  let marked = null;

  function hide() {
    if (marked) marked.classList.remove("on");
    marked = null;
    box.textContent = "";
  }

  function show(mark, x, y) {
    if (marked !== mark) {
      hide();
      marked = mark;
      mark.classList.add("on");
      box.textContent = mark.getAttribute("aria-label");
    }
    box.style.left = "0px"; // so that its width is not that of the room to the right
    const left = Math.min(x + 14, innerWidth - box.offsetWidth - 8);
    const below = y + 18 + box.offsetHeight < innerHeight;
    box.style.left = `${Math.max(8, left)}px`;
    box.style.top = `${below ? y + 18 : Math.max(8, y - box.offsetHeight - 12)}px`;
  }

  function showAtPlace(mark) {
    const place = mark.getBoundingClientRect();
    show(mark, place.left + place.width / 2, Math.min(place.top + place.height / 2, innerHeight - 80));
  }

  function inReadingOrder(marks) {
    const place = new Map(marks.map((mark) => [mark, mark.getBoundingClientRect()]));
    const before = (a, b) => Math.round(a.top - b.top) || a.left - b.left;
    return [...marks].sort((one, other) => before(place.get(one), place.get(other)));
  }

  for (const svg of document.querySelectorAll("figure svg")) {
    const marks = [...svg.querySelectorAll(".mark")];
    if (!marks.length) continue;
    for (const mark of marks) {
      const title = mark.querySelector("title");
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", title.textContent);
      title.remove();
      mark.addEventListener("pointermove", (event) => show(mark, event.clientX, event.clientY));
      mark.addEventListener("pointerleave", hide);
    }
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const ordered = inReadingOrder(marks);
      const at = ordered.indexOf(marked);
      const to = {
        ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at < 0 ? ordered.length - 1 : at - 1,
        ArrowUp: at < 0 ? ordered.length - 1 : at - 1, Home: 0, End: ordered.length - 1,
      }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined) return;
      event.preventDefault();
      showAtPlace(ordered[(to + ordered.length) % ordered.length]);
    });
  }
})();
