"""The names of code systems that this service itself gives or asks for."""

from __future__ import annotations

SYSTEM = "https://lumbar.example/fhir/CodeSystem/vocabulary"
"""Code = a word of the vocabulary: a finding, an observation, a field of the request, a must-ask, a treatment, a drug,
and the answers present, absent and unknown."""

UCUM = "http://unitsofmeasure.org"
