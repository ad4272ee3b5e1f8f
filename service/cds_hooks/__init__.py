"""CDS Hooks: a call of an EHR in, cards out. Pure but for `routes`."""
