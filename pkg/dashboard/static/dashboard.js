// Keeps an open page current: asks for it again every data-live milliseconds
// and puts the new content in place. What a person has unfolded, focused,
// selected or is typing stays as it is.
"use strict";
(() => {
  const region = document.querySelector("[data-live]");
  const word = document.querySelector("[data-live-word]");
  const clock = document.querySelector("[data-live-clock]");
  const toggle = document.querySelector("[data-live-toggle]");
  if (!region || !toggle) return;
  const every = Number(region.dataset.live);
  let paused = sessionStorage.getItem("towpath-paused") === "yes";

  const show = () => {
    toggle.hidden = false;
    toggle.textContent = paused ? "Resume" : "Pause";
    toggle.setAttribute("aria-pressed", String(paused));
    toggle.title = paused ? "The page does not refresh" : "The page refreshes by itself";
    if (paused) word.textContent = "Paused at";
    else if (word.textContent === "Paused at") word.textContent = "";
  };
  toggle.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem("towpath-paused", paused ? "yes" : "no");
    show();
  });

  const busy = () => {
    const chosen = getSelection();
    if (chosen && !chosen.isCollapsed && region.contains(chosen.anchorNode)) return true;
    return Boolean(document.activeElement?.closest("form[data-keep]"));
  };

  // What was told after a button was pressed is said for a while, and once: it goes
  // from the address at once.
  const told = location.href;
  const address = new URL(told);
  const toldUntil = address.searchParams.has("told") ? Date.now() + 20000 : 0;
  if (toldUntil) {
    address.searchParams.delete("told");
    history.replaceState(null, "", address);
  }

  let last = "";
  const replace = (fresh) => {
    if (fresh.innerHTML === last) return;
    last = fresh.innerHTML;
    const open = new Map([...region.querySelectorAll("details[open]")].map((e) => [e.dataset.key, e.querySelector("pre")]));
    const focused = document.activeElement?.closest("[data-key]")?.dataset.key;
    const form = region.querySelector("form[data-keep]");
    const freshForm = fresh.querySelector("form[data-keep]");
    if (form && freshForm) freshForm.replaceWith(form);
    const places = [...open].map(([key, pre]) => [key, pre?.scrollTop ?? 0, pre?.scrollLeft ?? 0]);
    for (const e of fresh.querySelectorAll("details")) e.open = open.has(e.dataset.key);
    region.replaceChildren(...fresh.childNodes);
    for (const [key, top, left] of places) {
      region.querySelector(`details[data-key="${CSS.escape(key)}"] pre`)?.scrollTo({ top, left, behavior: "instant" });
    }
    if (!focused) return;
    const again = region.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    const target = again?.tagName === "DETAILS" ? again.querySelector("summary") : again;
    target?.focus({ preventScroll: true });
  };

  const look = async () => {
    try {
      const answer = await fetch(Date.now() < toldUntil ? told : location.href, { cache: "no-store", redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("#main");
      if (answer.status === 401) location.reload(); // signed out meanwhile
      if (answer.status >= 500 || !fresh) throw new Error(String(answer.status));
      if (paused || busy()) return;
      replace(fresh);
      const now = page.querySelector("[data-live-clock]");
      clock.textContent = now.textContent;
      clock.dateTime = now.dateTime;
      document.title = page.title;
      word.textContent = "";
    } catch {
      if (!paused) word.textContent = "Towpath or its database is away; as of";
    }
  };
  const round = async () => {
    if (!paused && !document.hidden && !busy()) await look();
    setTimeout(round, every);
  };
  show();
  setTimeout(round, every);
})();
