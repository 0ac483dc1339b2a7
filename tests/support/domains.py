"""Texts that are neither GoEmotions' nor Reddit's: six kinds of writing, drawn by a seed from templates."""

from __future__ import annotations

import random

# What the templates take, by name.
_WORDS = {
    "product": "kettle|office chair|phone case|standing desk|pair of headphones|rain jacket|bike light",
    "quality": "sturdy|flimsy|quieter than before|smaller than pictured|easy to clean|too loud|well made",
    "verdict": "Would buy again.|Returned it the same day.|Two stars, and one is for the box.|Meh.",
    "time": "after three weeks|on the second day|since the last update|this morning|for half a year",
    "city": "Lisbon|Nairobi|Leeds|Osaka|Winnipeg|Tallinn|Córdoba|Perth",
    "body": "the city council|the central bank|a coalition of farmers|the port authority|the regional court",
    "act": "approved a new tariff|rejected the appeal|postponed the vote|opened an inquiry|cut its forecast",
    "why": "citing rising costs|after weeks of protests|despite heavy criticism|pending a safety review",
    "number": "3|17|240|0.5|1,200|86",
    "system": "the invoice export|single sign-on|the mobile app|our webhook|the staging database",
    "fault": "times out|returns error 500|shows a blank page|logs everybody out|loses the attachment|is slow",
    "plea": "Please advise.|This blocks our release!|No rush.|We have asked three times.|Thanks in advance.",
    "food": "onions|lentils|chickpeas|butter|saffron|plums|buttermilk|rye flour",
    "step": "simmer gently|whisk until smooth|fold in carefully|roast until golden|let it rest|season",
    "verb": "parse|flush|retry|normalize|lock|cache|deprecate|serialize",
    "thing": "the header|stale entries|the socket|user input|the mutex|a null pointer|the migration",
    "remark": "TODO: remove|FIXME:|NOTE:|HACK, do not touch:|XXX|Deprecated since 2.1:",
    "symptom": "shortness of breath|a dull headache|no known allergies|intermittent fever|good appetite",
    "clause": "the Lessee shall indemnify the Lessor|this warranty is void|either party may terminate",
    "sentiment": "It was a relief to all.|Nobody laughed.|She wept with joy.|He was furious.|So it goes.",
}
_KINDS = {
    "review": ["The {product} is {quality} {time}. {verdict}", "{verdict} Bought this {product}: {quality}."],
    "news": [
        "{city}: {body} {act} on Tuesday, {why}.",
        "{body} in {city} {act}; {number} people were affected.",
    ],
    "ticket": [
        "{system} {fault} {time}. {plea}",
        "Hi team, {system} {fault} for {number} of our users. {plea}",
    ],
    "recipe": ["Add {number} g of {food} and {step}.", "Meanwhile, {step}; stir in the {food} and {step}."],
    "comment": [
        "# {remark} {verb} {thing} before we {verb} {thing}",
        "/* {verb} {thing}, see issue {number} */",
    ],
    "record": ["Patient reports {symptom} {time}; {symptom}.", "Where {clause}, {clause}. {sentiment}"],
}
# A text in six is several sentences of its kind, up to so many: some are cut off at 512 tokens.
_LONG, _MOST_SENTENCES = 6, 45


def _sentence(kind: str, draw: random.Random) -> str:
    text = draw.choice(_KINDS[kind])
    while "{" in text:
        name = text[text.index("{") + 1 : text.index("}")]
        text = text.replace("{" + name + "}", draw.choice(_WORDS[name].split("|")), 1)
    return text


def other_texts(count: int = 500, seed: int = 0) -> list[str]:
    """Return different texts of all kinds in turn, the same for a seed."""
    draw, kinds = random.Random(seed), list(_KINDS)
    # Each once, in order.
    texts: dict[str, None] = {}
    while len(texts) < count:
        number = len(texts)
        sentences = draw.randint(2, _MOST_SENTENCES) if number % _LONG == number // _LONG % _LONG else 1
        texts[" ".join(_sentence(kinds[number % len(kinds)], draw) for _ in range(sentences))] = None
    return list(texts)
