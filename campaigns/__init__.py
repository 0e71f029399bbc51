"""Evaluation of a randomised campaign that somebody ran elsewhere: `holdfast evaluate-campaign`.

In: one table with a row a person (arm, outcome, what was known before the contact). Out: what each arm changed, whom to
contact next time, and what that is worth, on rows that the models have not seen. Knows no stage and no home. One module
a step: the table (`table`), what is no covariate (`covariates`), predictions (`learners`), values of policies
(`policies`), the result in words and pictures (`page`).
"""
