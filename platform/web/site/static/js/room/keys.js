/* Shortcuts: one letter each, never with a modifier, never while typing or in a dialog. */

export function installShortcuts(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog, [role=menu], [contenteditable]")) return;
    const action = actions[event.key.toLowerCase()];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
