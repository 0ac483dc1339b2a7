/** The list of labels: one row each, a bar for the probability and a mark at the threshold. */

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
  item.querySelector(".mark").style.left = percent(threshold);
  return item;
}

/** Rows of `list` for `[{label, threshold}]`, made once; the returned function shows one answer. */
export function bars(list, labels) {
  const rows = new Map(labels.map((each) => [each.label, row(each)]));
  list.replaceChildren(...rows.values());
  return (answers) => {
    for (const { label, probability, threshold, decided } of answers) {
      const item = rows.get(label);
      const track = item.querySelector(".track");
      item.classList.toggle("decided", decided);
      item.querySelector(".bar").style.width = percent(probability);
      item.querySelector(".value").textContent = probability.toFixed(2);
      track.setAttribute("aria-valuenow", probability.toFixed(3));
      track.setAttribute(
        "aria-valuetext",
        `${probability.toFixed(2)}, ${decided ? "reaches" : "below"} its threshold of ${threshold}`,
      );
    }
  };
}

/** The labels that are decided, the surest first. */
export function decidedOf(answers) {
  return answers.filter(({ decided }) => decided).sort((a, b) => b.probability - a.probability);
}
