// Keeps an open page current: it is told by a stream of events that something changed, or
// asks every data-live milliseconds where there is no stream; then it fetches itself and
// puts the new content in place. What a person has unfolded, focused, selected or is
// typing stays as it is. Times are shown in the browser's zone too.
"use strict";
(() => {
  const region = document.querySelector("[data-live]");
  const word = document.querySelector("[data-live-word]");
  const clock = document.querySelector("[data-live-clock]");
  const toggle = document.querySelector("[data-live-toggle]");

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // Not by dateStyle: with that the zone's name is refused.
  const local = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
  // The UTC time stays in the text; the reader's own stands in the tip, and beside it
  // where the page has room for it (data-local).
  const localTimes = (root) => {
    for (const e of root.querySelectorAll("time[datetime]")) {
      const at = new Date(e.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const text = local.format(at);
      if (!e.title.includes(text)) e.title = (e.title ? e.title + ", " : "") + text + " (" + zone + ")";
      if (e.hasAttribute("data-local") && !e.nextElementSibling?.classList.contains("local-time")) {
        const beside = document.createElement("span");
        beside.className = "local-time soft";
        beside.textContent = " " + text;
        e.after(beside);
      }
    }
  };
  localTimes(document);
  if (!region || !toggle) return;

  const every = Number(region.dataset.live);
  let stopped = sessionStorage.getItem("towpath-updates") === "off";

  const show = () => {
    toggle.hidden = false;
    toggle.textContent = stopped ? "Update this page again" : "Stop updating this page";
    toggle.title = stopped ? "This page stays as it is. The sync goes on." : "This page updates by itself. Stopping that does not stop the sync.";
    if (stopped) word.textContent = "Page as of";
    else if (word.textContent === "Page as of") word.textContent = "";
  };

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
    localTimes(fresh);
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
      if (stopped || busy()) return;
      replace(fresh);
      const now = page.querySelector("[data-live-clock]");
      clock.textContent = now.textContent;
      clock.dateTime = now.dateTime;
      document.title = page.title;
      word.textContent = "";
    } catch {
      if (!stopped) word.textContent = "Towpath or its database is away; as of";
    }
  };

  // One look at a time, and none sooner than `every` after the last.
  let timer = 0;
  let lookedAt = Date.now();
  const lookSoon = (at) => {
    if (timer || stopped || document.hidden) return;
    timer = setTimeout(async () => {
      if (!stopped && !document.hidden && !busy()) await look();
      timer = 0;
      lookedAt = Date.now();
      if (!stream) lookSoon(lookedAt + every);
    }, Math.max(0, at - Date.now()));
  };

  // The stream is there while the page is seen: browsers keep few connections to one
  // server, and a hidden tab must not use one up. Without it the clock decides.
  let stream = null;
  const connect = () => {
    if (stream || stopped || document.hidden) return;
    if (!region.dataset.stream || !window.EventSource) return lookSoon(lookedAt + every);
    const source = new EventSource(region.dataset.stream);
    stream = source;
    for (const kind of ["changed", "pulse"]) source.addEventListener(kind, () => lookSoon(lookedAt + every));
    source.addEventListener("error", () => {
      if (source !== stream) return;
      if (source.readyState === EventSource.CLOSED) stream = null; // refused: it does not come back
      lookSoon(lookedAt + every);
    });
  };
  const disconnect = () => {
    stream?.close();
    stream = null;
    clearTimeout(timer);
    timer = 0;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return disconnect();
    connect();
    lookSoon(Date.now());
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  toggle.addEventListener("click", () => {
    stopped = !stopped;
    sessionStorage.setItem("towpath-updates", stopped ? "off" : "on");
    show();
    if (stopped) return disconnect();
    connect();
    lookSoon(Date.now());
  });
  show();
  connect();
})();
