"""What the FHIR routes can do, as a CapabilityStatement. Pure."""

from __future__ import annotations

from rules.knowledge import Knowledge
from service.fhir import questionnaire
from service.fhir.parts import BASE, Json, markdown, own

OPERATION = "assess"


def write(knowledge: Knowledge) -> Json:
    """The statement of this service; it holds nothing that the contract does not say."""
    version = knowledge.policy.version
    return {
        "resourceType": "CapabilityStatement",
        "meta": {"tag": [{"system": own("knowledge"), "version": version, "code": knowledge.sha256}]},
        "url": f"{BASE}/CapabilityStatement/lumbar",
        "version": version,
        "name": "Lumbar",
        "title": "Lumbar, decision support for low back pain",
        "status": "active",
        "date": knowledge.source_attributes.revised,
        "kind": "instance",
        "description": markdown(knowledge.policy.texts["intended_use"]),
        "software": {"name": "Lumbar", "version": version},
        "implementation": {"description": "Stateless: nothing that is sent outlives the request"},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "Key of a named client (X-API-Key or Bearer), or a signed token (Bearer): the "
                    "contract at /openapi.json says which scope each route needs."
                },
                "resource": [
                    {
                        "type": "Questionnaire",
                        "documentation": f"Only {questionnaire.ID}: what may be asked, by the words of the service.",
                        "interaction": [{"code": "read"}],
                    }
                ],
                "operation": [
                    {
                        "name": OPERATION,
                        "definition": f"{BASE}/OperationDefinition/{OPERATION}",
                        "documentation": "POST a Bundle, or Parameters with resources, of one patient; the answer is a "
                        "Bundle that begins with a GuidanceResponse.",
                    }
                ],
            }
        ],
    }
