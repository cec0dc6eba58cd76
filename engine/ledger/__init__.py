"""The ledger (台账): what was found, who must mend it by when, and what became of it. Pure; docs/ledger.md."""
