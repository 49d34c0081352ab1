"""A reranker that asks a model for a grade: the model of the run, or any other one.

    codesample eval humaneval --model MODEL --n 8 --out runs/mine
    codesample rerank runs/mine -r examples/llm_judge.py:graded
    codesample rerank runs/mine -r "examples/llm_judge.py:graded(judge='OTHER MODEL')"

An equal question is asked once and its answer is kept in the run folder, so that ranking again is free. The
built-in model cannot grade: it continues programs, and every candidate then abstains.
"""

import re

from codesample import Message, SamplingParams, reranker

QUESTION = """Does this program do what is asked for? Think of a case that might break it, then end with
"Grade: N", where N is from 0 (certainly wrong) to 10 (certainly right).

What is asked for:
{asked}

The program:
{program}
"""
ANSWERING = SamplingParams(temperature=0, max_new_tokens=200)


@reranker(needs={"generate"})
def graded(view, candidates, ctx, *, judge: str | None = None):
    """Score by the last grade in the model's answer, from 0 to 10; where there is none, abstain."""
    scores = []
    for candidate in candidates:
        question = QUESTION.format(asked=view.description, program=candidate.program)
        # a model without a chat template takes a text to continue
        prompt = [Message("user", question)] if not isinstance(ctx.asked, str) else question
        (answer,) = ctx.generate(prompt, params=ANSWERING, model=judge)
        grades = re.findall(r"Grade: *(10|[0-9])\b", answer.completion)
        if not grades:
            ctx.note("an answer without a grade")
        scores.append(float(grades[-1]) if grades else None)
    return scores
