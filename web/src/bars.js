/** The list of labels: one row each, a bar for the probability and a mark at the threshold, if any. */

const percent = (share) => `${(100 * share).toFixed(2)}%`;

function row({ label, threshold }) {
  const item = document.createElement("li");
  item.className = "row";
  item.innerHTML = `
    <span class="name" aria-hidden="true"></span>
    <span class="track" role="meter" aria-valuemin="0" aria-valuemax="1" aria-valuenow="0">
      <span class="bar"></span><span class="mark"></span>
    </span>
    <span class="value" aria-hidden="true"></span>`;
  item.querySelector(".name").textContent = label;
  item.querySelector(".track").setAttribute("aria-label", label);
  const mark = item.querySelector(".mark");
  mark.style.left = percent(threshold);
  mark.hidden = threshold === 0;
  return item;
}

/** What a bar says: of a single-label model the highest is chosen, and not below its threshold. */
function said({ probability, threshold, decided }, singleLabel) {
  const share = probability.toFixed(2);
  if (!singleLabel) return `${share}, ${decided ? "reaches" : "below"} its threshold of ${threshold}`;
  return `${share}, ${decided ? "chosen" : "not chosen"}`;
}

/** Rows of `list` for `[{label, threshold}]`, made once; the returned function shows one answer. */
export function bars(list, labels, singleLabel) {
  const rows = new Map(labels.map((each) => [each.label, row(each)]));
  list.replaceChildren(...rows.values());
  return (answers) => {
    for (const answer of answers) {
      const { label, probability, decided } = answer;
      const item = rows.get(label);
      const track = item.querySelector(".track");
      item.classList.toggle("decided", decided);
      item.querySelector(".bar").style.width = percent(probability);
      item.querySelector(".value").textContent = probability.toFixed(2);
      track.setAttribute("aria-valuenow", probability.toFixed(3));
      track.setAttribute("aria-valuetext", said(answer, singleLabel));
    }
  };
}

/** The labels that are decided, the surest first. */
export function decidedOf(answers) {
  return answers.filter(({ decided }) => decided).sort((a, b) => b.probability - a.probability);
}
