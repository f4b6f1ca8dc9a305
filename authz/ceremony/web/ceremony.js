// What the pages need a script for: passkeys, which a browser gives to scripts alone, and
// the collector, once the person has agreed. Everything else works without.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => buffer && btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const each = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));

  // told is what a passkey said, as JSON (Web Authentication, section 5.1).
  const told = (c) => {
    const r = c.response, response = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (r[name]) response[name] = text(r[name]);
    }
    if (r.getTransports) response.transports = r.getTransports();
    return JSON.stringify({ id: c.id, rawId: text(c.rawId), type: c.type, response, clientExtensionResults: {} });
  };

  const ask = (kind, options) => {
    options.challenge = bytes(options.challenge);
    if (kind === "get") {
      options.allowCredentials = each(options.allowCredentials);
      return navigator.credentials.get({ publicKey: options });
    }
    options.user.id = bytes(options.user.id);
    options.excludeCredentials = each(options.excludeCredentials);
    return navigator.credentials.create({ publicKey: options });
  };

  for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : []) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      try {
        form.elements.credential.value = told(await ask(form.dataset.passkey, JSON.parse(form.dataset.options)));
        form.submit();
      } catch {
        button.disabled = false; // the person changed their mind, or has no passkey here
      }
    });
  }

  // What is measured goes with every form that proves something.
  const choice = document.getElementById("measure");
  const forms = choice ? [choice.form] : [...document.querySelectorAll("form[data-measure]")].reverse(); // typing is in the last
  let measured = null;
  const measure = (yes) => {
    if (measured) measured.stop();
    measured = yes && forms.length && window.wary ? wary.start({ consent: true, form: forms[0] }) : null;
  };
  for (const form of forms) {
    form.addEventListener("formdata", (event) => {
      if (measured) event.formData.set("wary", JSON.stringify(measured.collect()));
    });
  }
  if (choice) choice.addEventListener("change", () => measure(choice.checked));
  measure(choice ? choice.checked : true);
})();
