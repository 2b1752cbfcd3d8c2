const STEPS = 60; // of a line

// course are the lines of committing at equal distances, the newest last, with null where nothing was committed. The last
// point is still being filled, and its rate would be too low. Pure.
export function course(points, step) {
  const lines = { longest: [], size: [], rate: [] };
  const whole = points.length > 1 ? points.slice(0, -1) : points;
  if (whole.length === 0) return lines;
  const known = new Map(whole.map((p) => [p[0], p]));
  const last = whole.at(-1)[0];
  for (let at = Math.max(whole[0][0], last - (STEPS - 1) * step); at <= last; at += step) {
    const [, commits, size, longest] = known.get(at) ?? [at, 0, null, null];
    lines.longest.push(longest);
    lines.size.push(size === null ? null : size / commits);
    lines.rate.push((1000 * commits) / step);
  }
  return lines;
}
