// Which of many overlapping candidates stay.

/**
 * Fast NMS over all classes (YOLACT, section 3.4): also those that are dropped themselves suppress others.
 *
 * @param boxes [x1, y1, x2, y2] each, best first
 * @returns indices of those that overlap no better one by more than the threshold
 */
export function fastNms(boxes, threshold) {
  const kept = [];
  for (let k = 0; k < boxes.length; k++) {
    let alone = true;
    for (let better = 0; better < k && alone; better++) alone = !(iou(boxes[k], boxes[better]) > threshold);
    if (alone) kept.push(k);
  }
  return kept;
}

/** Intersection over union of two boxes. */
export function iou(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const inner = Math.max(width, 0) * Math.max(height, 0);
  const union = area(one) + area(other) - inner;
  return union > 0 ? inner / union : 0;
}

function area([x1, y1, x2, y2]) {
  return (x2 - x1) * (y2 - y1);
}

/** Candidates of a result that are shown: above the score, of a wanted class, not suppressed by a better one. */
export function choose(result, { minScore, iouThreshold, hiddenLabels }) {
  const above = result.candidates.filter((item) => item.score > minScore);
  const all = iouThreshold >= result.iouThreshold; // as the model's file has suppressed them
  const kept = all ? above : fastNms(above.map((item) => item.predicted.box), iouThreshold).map((k) => above[k]);
  return kept.filter((item) => !hiddenLabels.has(item.label));
}
