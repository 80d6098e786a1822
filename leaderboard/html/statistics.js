// The paired comparison of two rows.

/** log(n!) for whole n. */
function logFactorial(n) {
  let sum = 0;
  for (let i = 2; i <= n; i += 1) {
    sum += Math.log(i);
  }
  return sum;
}

/** P[X ≤ k] for X ~ Binomial(n, 1/2). */
function binomialHalf(k, n) {
  const whole = logFactorial(n) - n * Math.LN2;
  let sum = 0;
  for (let i = 0; i <= k; i += 1) {
    sum += Math.exp(whole - logFactorial(i) - logFactorial(n - i));
  }
  return Math.min(1, sum);
}

/** Exact two-sided p-value that two paired rates are equal, from the counts of discordant pairs. McNemar (1947). */
function mcnemar(b, c) {
  return b === c ? 1 : Math.min(1, 2 * binomialHalf(Math.min(b, c), b + c));
}

/**
 * 95% interval of the difference (b − c) / n of two paired rates, within [-1, 1]. Bonett and Price (2012), "Adjusted
 * Wald confidence interval for a difference of binomial proportions based on paired data", J. Educ. Behav. Stat. 37(4).
 */
function pairedInterval(b, c, n) {
  const first = (b + 1) / (n + 2);
  const second = (c + 1) / (n + 2);
  const middle = first - second;
  const reach = 1.959963984540054 * Math.sqrt((first + second - middle * middle) / (n + 2));
  return [Math.max(-1, middle - reach), Math.min(1, middle + reach)];
}
