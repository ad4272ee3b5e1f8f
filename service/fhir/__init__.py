"""FHIR R4: resources in, resources out."""
