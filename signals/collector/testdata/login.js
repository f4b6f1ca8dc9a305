// The page's own script: the collector may be absent.
document.getElementById("consent").addEventListener("change", (e) => {
  if (!window.wary) return;
  if (e.target.checked) window.measured = wary.start({ consent: true, field: "wary", position: true });
  else if (window.measured) window.measured.stop();
});
