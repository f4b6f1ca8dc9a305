// What the pages need a script for: passkeys, which a browser gives to scripts alone, and
// the collector, once the person has agreed. Everything else works without. The language
// is that of 2009, so that nothing that reads the page at all stumbles over it.
"use strict";
(function () {
  function bytes(text) {
    var raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    var out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }

  function text(buffer) {
    var raw = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function decoded(list) {
    (list || []).forEach(function (c) {
      c.id = bytes(c.id);
    });
  }

  // told is what a passkey said, as JSON (Web Authentication, section 5.1).
  function told(c) {
    var response = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (c.response[name]) response[name] = text(c.response[name]);
    });
    if (c.response.getTransports) response.transports = c.response.getTransports();
    return JSON.stringify({ id: c.id, rawId: text(c.rawId), type: c.type, response: response, clientExtensionResults: {} });
  }

  function ask(kind, options) {
    options.challenge = bytes(options.challenge);
    decoded(options.allowCredentials);
    decoded(options.excludeCredentials);
    if (kind === "get") return navigator.credentials.get({ publicKey: options });
    options.user.id = bytes(options.user.id);
    return navigator.credentials.create({ publicKey: options });
  }

  function offer(form) {
    form.hidden = false;
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var button = form.querySelector("button");
      button.disabled = true;
      ask(form.getAttribute("data-passkey"), JSON.parse(form.getAttribute("data-options"))).then(
        function (credential) {
          form.elements.credential.value = told(credential);
          form.submit();
        },
        function () {
          button.disabled = false; // the person changed their mind, or has no passkey here
        }
      );
    });
  }

  var all = function (selector) {
    return Array.prototype.slice.call(document.querySelectorAll(selector));
  };
  if (window.PublicKeyCredential) all("form[data-passkey]").forEach(offer);

  // What is measured goes with every form that proves something.
  var choice = document.getElementById("measure");
  var forms = choice ? [choice.form] : all("form[data-measure]").reverse(); // typing is in the last
  var measured = null;
  function measure(yes) {
    if (measured) measured.stop();
    measured = yes && forms.length && window.wary ? window.wary.start({ consent: true, form: forms[0] }) : null;
  }
  forms.forEach(function (form) {
    form.addEventListener("formdata", function (event) {
      if (measured) event.formData.set("wary", JSON.stringify(measured.collect()));
    });
  });
  if (choice) {
    choice.addEventListener("change", function () {
      measure(choice.checked);
    });
  }
  measure(choice ? choice.checked : true);
})();
