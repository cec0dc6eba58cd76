"""The ledger (台账): findings, who must put them right by when, and what became of them. Pure; docs/ledger.md."""
