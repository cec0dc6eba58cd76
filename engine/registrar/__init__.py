"""The registry's imports, exports and pulls: joins the forms of the outside, the rules, and the desk."""
