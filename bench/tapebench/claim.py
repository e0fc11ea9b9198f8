"""A sentence with a limit, and what a bench found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """`text` says the limit, `found` what came out."""

    text: str
    found: str
    holds: bool


def at_least(text: str, value: float, limit: float, unit: str = "x") -> Claim:
    return Claim(f"{text}: at least {limit:g}{unit}", f"{value:.2f}{unit}", value >= limit)


def at_most(text: str, value: float, limit: float, unit: str = "x") -> Claim:
    return Claim(f"{text}: at most {limit:g}{unit}", f"{value:.2f}{unit}", value <= limit)


def show_claims(judged: list[Claim]) -> str:
    return "\n".join(f"{'holds' if claim.holds else 'MISSED':<7} {claim.text}; found {claim.found}" for claim in judged)
