"""The text of the page: what a board measures, and how to read its rows."""

INTRODUCTION = """\
A smoothed classifier returns the class that wins a vote over noisy copies of an image. It **abstains** when the vote
is too close. Its certificate bounds how far an attacker must move an image to change the answer; nothing keeps an
attacker from making it abstain. This page measures how often attacks do so within ℓ2 distance ε.
"""

HOW_TO_READ = """\
- **Abstain** is the fraction of images on which PREDICT abstains under attack, with its exact 95% interval
  (Clopper–Pearson). The noise of this measurement is new: the attack saw none of it.
- **Clean** is the abstention rate on the same images without an attack, on other noise. The `clean` row is one more
  such measurement, on the noise of every attack's evaluation. **McNemar p** is the exact paired test of an attack
  against that row, or, where the board is without it (†), against the clean column. **Holm** is the same p-value,
  adjusted for the other rows of its table. The controls are `clean` and `gaussian` (a random direction of norm ε).
- **Ceiling** is a proven upper bound on the *expected* abstention rate within ε, for any attack. It rests on
  confidence bounds at each clean image, on the class probabilities and on the norms of their gradients. With which
  probability they hold stands above, behind the commands. An observed rate can exceed it slightly, by sampling.
  **Share** is abstain / ceiling. Clean images that abstain anyway count, too: the share of the `clean` row is what
  doing nothing reaches. **Net share** leaves them out: (abstain - clean) / (ceiling - clean), clean as in the paired
  test, with a 95% bootstrap interval over images. **Vacuous**: the ceiling is 100% on every image. Nothing is proven
  there, and a share is the rate itself.
- **Accuracy** is the rate of right answers, **wrong** that of confident wrong ones. Abstentions are the rest.
- **Valid** images keep the budget rule. Where an attack's image is not finite, leaves [0, 1] or exceeds ε, the
  original is sent instead and counts in every rate. Minimum-norm attacks (`cw`, `tv` and their transfer forms) return
  the closest image they find, even outside the budget, as in the seed paper. All other attacks stay inside.
- **ℓ2** statistics are over valid images that the attack changed by more than rounding (1e-4), in [0, 1] pixel units.
  **Changed** is the number of these images.
- **Queries** and **samples** (of the base classifier, forward and backward) are means per image. **Surrogate
  queries** are made once, to train the attacker's surrogate. **s/image** is the attack's time without that training.
- A row is of one **image set**, spread evenly over the evaluation images. Each heading gives its size. Do not compare
  rows of different sets.
- A **failed** row is of an attack that raised an error, and has no rate. A **partial** row (asterisk) covers only a
  part of its image set: do not compare it with others.
- **Query budget** is the most queries per image that an attack may make. An attack with several budgets has a row for
  each. Only the row of the largest is ranked; the others are points of a curve.
- A **`best-of`** row takes for each image the best attack of one access, and evaluates it again on new noise. It can
  come out below a member whose own rate was lucky. Its queries are the sum of its members' queries, so they can
  exceed the budget that each member kept. Its hyper-parameters name the members; an attack that was added to an
  adopted board later is not among them.
- Abstention depends more on n than on most attacks. Compare rates only at equal n and α.
"""

SUMMARY = """\
Abstention rate of each attack on each target. Of an attack's query budgets the table shows the one that most of its
rows have, of equally frequent ones the largest. Bold: the highest rate on a target; `best-of` and partial rows do not
compete. A dash: not run, or not with that budget.
"""

MEAN_SHARES = "The mean over the targets, of the attacks that were run on every target at every ε."

COMPUTED = "These commands, or parts of them, computed the rows. Hyper-parameters are at the end of this page."
"""Above the list of the commands."""
