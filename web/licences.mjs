/** Licences by the hub's ids: what people call them, and where they stand. Another one is named, and not linked. */

const LICENCES = {
  "apache-2.0": ["Apache 2.0", "https://www.apache.org/licenses/LICENSE-2.0"],
  mit: ["MIT", "https://opensource.org/license/mit"],
  "bsd-3-clause": ["BSD 3-Clause", "https://opensource.org/license/bsd-3-clause"],
  "cc0-1.0": ["CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"],
  "cc-by-4.0": ["CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"],
  "cc-by-sa-4.0": ["CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"],
  "cc-by-nc-4.0": ["CC BY-NC 4.0", "https://creativecommons.org/licenses/by-nc/4.0/"],
  "gpl-3.0": ["GPL 3.0", "https://www.gnu.org/licenses/gpl-3.0"],
};

/** `{name, url}` of a licence; `url` is null where it is not known, and all of it where there is none. */
export function licence(id) {
  if (!id) return null;
  const [name, url = null] = Object.hasOwn(LICENCES, id) ? LICENCES[id] : [id];
  return { name, url };
}
