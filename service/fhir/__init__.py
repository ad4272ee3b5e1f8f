"""FHIR R4: a chart in, resources out. Pure but for `routes`."""
