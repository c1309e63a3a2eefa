// What scrolls sideways can be reached by keyboard; what does not scroll stays out of the way.
const SCROLLING = "pre > code, .md-typeset__scrollwrap, .md-typeset table:is(.cxjourney, .dataframe)";

function reachable() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

// The theme adds buttons to each block of code when it is seen, and gives them all the same place.
new MutationObserver(() => {
  document.querySelectorAll("nav.md-code__nav:not([aria-label])").forEach(bar => {
    bar.ariaLabel = `Block of code ${bar.parentElement.id.replace(/\D+/, "")}`;
  });
}).observe(document.body, { childList: true, subtree: true });

addEventListener("load", reachable);
addEventListener("resize", reachable);
