"""What the engine is made of besides its own code: packages, known vulnerabilities. `make audit`, `make sbom`."""
