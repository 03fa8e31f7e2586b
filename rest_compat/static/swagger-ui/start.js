// Shows the OpenAPI document that stands beside this page. No key is kept: it is gone on reload.
SwaggerUIBundle({
  url: document.getElementById("documentation").dataset.document,
  dom_id: "#documentation",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
