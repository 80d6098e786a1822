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

const NORMAL_97_5 = 1.959963984540054;

/** Wilson's 95% score interval for the rate behind k hits in n trials. Wilson (1927), JASA 22(158). */
function wilson(k, n) {
  const z = NORMAL_97_5;
  const middle = k + (z * z) / 2;
  const half = z * Math.sqrt((k * (n - k)) / n + (z * z) / 4);
  return [k === 0 ? 0 : (middle - half) / (n + z * z), k === n ? 1 : (middle + half) / (n + z * z)];
}

/** Correlation of two paired outcomes, corrected for continuity where above 0; 0 where one is fixed. */
function correlation({ both, first, second, neither, n }) {
  const margins = (both + first) * (second + neither) * (both + second) * (first + neither);
  const excess = both * neither - first * second;
  return margins === 0 ? 0 : (excess > 0 ? Math.max(0, excess - n / 2) : excess) / Math.sqrt(margins);
}

/**
 * 95% interval of the difference first − second of two paired rates, from the images that both hit, only the first,
 * only the second or neither. Newcombe's method 10, as in `compare`: Newcombe (1998), "Improved confidence intervals
 * for the difference between binomial proportions based on paired data", Statistics in Medicine 17(22).
 */
function pairedInterval(counts) {
  const { both, first, second, n } = counts;
  const rates = [(both + first) / n, (both + second) / n];
  const [[low, high], [otherLow, otherHigh]] = [wilson(both + first, n), wilson(both + second, n)];
  const phi = correlation(counts);
  const length = (x, y) => Math.sqrt(Math.max(0, x * x - 2 * phi * x * y + y * y));
  const difference = rates[0] - rates[1];
  return [difference - length(rates[0] - low, otherHigh - rates[1]),
    difference + length(high - rates[0], rates[1] - otherLow)];
}
