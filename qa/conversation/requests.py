"""Requests: classifies sentences that do not ask what the documents say.

"chat", "summary", "count" and "task" cannot be served by quoting. "pressure" demands another answer to the same
question. A "claim" states what the answer should be.

The patterns are matched with a plain form of the sentence: lower case, contractions written out, filler words dropped.
A false match costs an answer that the documents contain. Therefore a request must stand at the start of the sentence,
and pressure must be the whole sentence.
"""

import re

from qa.conversation.sentences import bare, table, without_courtesies

MAX_CHARS = 300  # a longer sentence is neither pressure nor a request

_PLAIN = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|would|have|has)n'?t\b", r"\1 not"),
        (r"\b(what|who|how|that)'?s\b|\b(it|where|there)'s\b", r"\1\2 is"),
        (r"\bi'?m\b", "i am"),
        (r"'re\b", " are"),
        (r"'d\b", " would"),
        (r"\bu\b", "you"),
        (r"\br\b", "are"),
        (r"\bur\b", "your"),
        (r"\b(?:thx|thanks)\b", "thank you"),
        (r"\bsummarize\b", "summarise"),
        (r", (?:is|was|are|were|do|does|did)(?: not)? (?:it|that|they|he|she)$", ""),  # "…, isn't it"
        (r"\b(?:please|pls|just|simply|really|very|so|actually|surely|clearly|definitely|still|also)\b,?", ""),
    )
]
_WRAPPER = table(
    r"""(?:can|could|would|will) you\s|i (?:want|need|would like) you to\s|help me(?: to)?\s|let's\s|go ahead and\s
    (?:and|now|then|would you mind|try to|you (?:must|can|will|should|have to|need to))[\s,]"""
)
_PRESSURE = table(
    r"""are you(?: \w+)? (?:sure|certain|serious|kidding|joking|lying)\b.*|you are (?:\w+ )?(?:wrong|lying|mistaken)\b.*
    (?:seriously|honestly|no way|wrong|false|incorrect|nonsense|nope|no|what|again|go on|keep going)|come on\b.{0,60}
    is {this}(?: (?:right|true|correct|accurate|a fact|final|the answer))?|i (?:insist|doubt|disagree|beg)\b.{0,40}
    i (?:do|can) not (?:believe|trust|agree)\b.{0,40}|it is (?:urgent|important)\b.{0,40}|yes or no\b.{0,20}
    {this} (?:is |not |be |seems? |looks? )+(?:wrong|incorrect|false|nonsense|a lie|right|true|correct|it)\b.*
    (?:go |and )*{verb}(?: {object})*|prove it|where does it say {this}|how do you know(?: {this})?
    (?:tell me )?more(?: details?)?(?: about {this})?|(?:what|anything) else|(?:a |any )?(?:sources?|proof|evidence)
    (?:(?:give|tell|show|make|take|need)(?: me| us)? )?(?:a|an|the|your|any) (?:best |exact |final |real )?{answer}
    (?:.*\b)?you (?:can|must|should|have to|need to) (?:answer|reply|tell me)\b.{0,30}
    .*\bif you do not (?:answer|tell)\b.*|(?:.*\b)?you know {this}
    {ignore} and (?:answer|tell me|guess|reply)\b.{0,40}|(?:use|from) your (?:own )?(?:knowledge|memory)\b.{0,40}""",
    verb="(?:(?:double[- ]?|re)?check|look|try|think|verify|confirm|answer|guess|repeat|elaborate|explain|tell|say|do)",
    object="(?:me|it|that|again|more|further|harder|now|anyway|yes|no|or|the (?:question|documents?|answer))",
    answer="(?:answer|guess|number|estimate|truth|source|proof)",
    this="(?:that|this|it|(?:your|the) answer)",
)
_CLAIM = table(
    r"""{but}(?:i|we|they|he|she|everyone|people|(?:my|the) \w+)(?: have| has)? {holds}(?:(?: \S+){1,4}|{long})
    {but}{it} (?:is|was|were|are|has|had|says?|(?:should|must) (?:be|have been))\b.*
    (?:is|was|were|are) (?:not )?(?:it|that|there|they) (?:\w+ )?[$€£]?\d.*
    [$€£]?(?!{year}$)\d[\d.,]*(?: (?:percent|%|million|thousand|billion))?""",
    but="(?:(?:but|no|well|then) )*",
    holds="(?:read|heard|saw|thought|know|believe|think|remember|was told|says?|said|found)",
    long=r"\b.*\b(?:it|this|they|there|he|she|otherwise|different)\b.*",
    it="(?:it|that|this|he|she|they|there|the (?:\\w+ )?(?:answer|number|figure|date))",
)
_NEW_QUESTION = table(r"(?:[,;:–—]\s*|\b(?:and|but) ){asks}\s+\w+")
_CHAT = table(
    r"""(?:{hi}|{nod}|lol|[\s,.!])+|nice to meet you|i (?:love|like|hate) you|good (?:job|work|bot)|well done|see you
    (?:many |great |no )?(?:thank you|cheers)(?: (?:again|much|for|a lot|in advance)\b.{0,30})?|(?:good ?)?(?:bye|night)
    (?:that|this|it) (?:(?:is|was) (?:good|great|helpful|all)|helps|helped)\b.{0,20}
    how are you(?: doing| today)*|(?:who|what) are you|what is your name|who (?:made|built|created) you
    are you (?:a |an )?(?:real|human|bot|robot|ai|machine|person|there)\b.{0,20}|how do you work
    what (?:can|do) you do|what can i ask(?: you)?|(?:can you )?help(?: me)?(?: out)?
    (?:tell|sing)(?: me)? (?:a|another) (?:\w+ )?(?:joke|story|song|riddle)\b.{0,40}
    you are (?:great|awesome|amazing|funny|nice|smart|helpful|stupid|useless)"""
)
_AT_ASSISTANT = table(r"\b(?:you|your|answer|guess|sure|seriously|come on|yes or no|insist|check|try)\b")
_REQUESTS = {
    "summary": table(
        r"""(?:summarise|sum (?:\w+ )?up|(?:the )?tl;? ?dr|recap|condense)\b|{get} {a}(?:[\w-]+ ){0,2}{summary}\b
        {a}(?:[\w-]+ ){0,2}{summary}(?:\W*$| (?:of|about) (?:this|these|all|the (?:\w+ )?{doc}))
        (?:(?:what (?:is|are)|list|outline|{get}) )?(?:the )?{main}(?:\W*$| (?:of|in) (?:this|these|all|the {doc}))
        what (?:is|are|do|does) (?:all )?(?:it|this|these|the|your)(?: \w+)? ?{doc}? (?:about|say|cover|contain)\W*$""",
        get="(?:(?:give|provide|show|tell|make|get)(?: me| us)?|i (?:would like|want|need)|can i (?:get|have))",
        a="(?:(?:an?|the|your) )?",
        summary="(?:summary|overview|synopsis|gist|recap)",
        main="(?:main|key|central|most important) (?:points?|takeaways?|ideas?|themes?|topics?|messages?)",
    ),
    "count": table(
        r"""how many {units} (?:are|is|were) (?:there(?:\W*$| in (?:total|here|all))|indexed|loaded|in the {doc})
        how many {units} do you (?:have|know)\b|how many {doc} (?:mention|contain|refer to|discuss)\b
        how (?:many times|often) (?:is|are|was|were) .{1,80} (?:mentioned|cited|quoted)
        how (?:many times|often) (?:do|does) .{1,80} (?:appear|occur) in the {doc}|count (?:the|all|how|every|each)\b
        {list} (?:all )?(?:the |your )?{doc}(?:\W*$| you\b)|{list} everything\W*$
        {list} (?:all|every|each)\b.{1,80} (?:in|from|of) (?:all )?(?:the )?{doc}\W*$
        (?:which|what) {doc} (?:is|has) the (?:longest|shortest|biggest|smallest|newest|oldest|most)\b
        (?:which|what) {doc} (?:do you have|are (?:there|indexed|available)\W*$|mention|contain|refer to)\b
        what is the (?:total )?number of {doc}(?:\W*$| (?:in the|indexed))""",
        units=r"(?:\w+ )?(?:{doc}|pages|words|sentences|paragraphs|passages)",
        list="(?:list|show|name|give|find|extract)(?: me| us)?(?: a list of)?",
    ),
    "task": table(
        r"""(?:translate|rephrase|reword|paraphrase|rewrite|simplify|proofread|shorten|calculate|compute|convert|predict)\b
        (?:act|behave) (?:as|like)\b|pretend\b|imagine (?:you|being)\b|you are now\b|from now on\b|play a game\b
        (?:write|draft|compose)(?: me| us)? (?:an?|some|the|my|this|that|it|\d+)\b|{ignore}|(?:system|assistant)\s*:
        {make}(?: me| us)?(?: an?| some| the| my)? (?:[\w-]+ ){0,3}{artefact}s?\b
        (?:explain|describe|tell|say|put)\b.{0,80}\b(?:like (?:i am|to) |in (?:simple|simpler|plain|other|easy) \w+)
        (?:make|turn|put|say) (?:it|this|that|them)(?: \w+){0,2} (?:shorter|longer|simpler|nicer|better|clearer)
        what (?:do|would) you (?:think|suggest|recommend)\b|(?:do|would) you (?:think|believe|agree|recommend)\b
        what (?:is|are) your (?:\w+ )?(?:opinions?|thoughts?|views?|advice|favou?rite)|should i (?:invest|marry|vote)\b
        (?:delete|erase|remove|wipe|edit|rename) (?:(?:all|every|the|my|your|of) )*(?:files?|documents?|index|history)\b
        {reveal}(?: me)? (?:your (?:\w+ )?(?:prompt|instructions|rules|configuration)|(?:the )?system prompt$)
        (?:search|browse|check)\b.{0,60}\b(?:the web|internet|online)\b
        (?:say|reply|respond|answer|output|print|repeat)(?: only| exactly| with)* (?:["“‘«]|\d|the words?\b)
        (?:what is)?\s*\d[\d.,]*\s*(?:[-+*/x×÷^]|plus|minus|times|divided by|% of|percent of)\s*\d[\d.,]*\W*$""",
        make="(?:generate|create|make|build|design|draw|write|compose)",
        artefact="(?:poem|story|song|essay|e-?mail|code|image|picture|logo|presentation|quiz|tweet|chart|speech|letter)",
        reveal="(?:reveal|show|print|display|repeat|output|leak|tell|give|what (?:is|are|were))",
    ),
}


def kind(sentence: str, *, repeats: bool) -> str | None:
    """The class of the sentence, as in this module's docstring; None for a question.

    Only when an earlier question can be repeated (`repeats`) is a sentence pressure or a claim.
    """
    if len(sentence) > MAX_CHARS:
        return None
    whole, body = _plain(sentence), _plain(without_courtesies(sentence))
    forms = [whole, body]
    while wrapper := _WRAPPER.match(forms[-1]):
        forms.append(forms[-1][wrapper.end() :])
    pressed = any(not form or _PRESSURE.fullmatch(form) for form in forms)
    if repeats and pressed:
        return "pressure"
    if repeats and any(map(_CLAIM.fullmatch, forms[:2])) and not _NEW_QUESTION.search(body):
        return "claim"
    for name, pattern in _REQUESTS.items():
        if any(map(pattern.match, forms)):
            return name
    is_chat = any(map(_CHAT.fullmatch, forms)) or (pressed and _AT_ASSISTANT.search(whole))
    return "chat" if is_chat else None


def _plain(sentence: str) -> str:
    text = bare(sentence).lower().replace("’", "'")
    for pattern, new in _PLAIN:
        text = pattern.sub(new, text)
    return bare(" ".join(text.split()))
