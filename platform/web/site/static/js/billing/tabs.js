// On a narrow screen the tabs scroll: the one that is open comes into view.

const open = document.querySelector(".billing-tabs [aria-current]");
const bar = open?.parentElement;
if (bar) bar.scrollLeft = open.offsetLeft - bar.offsetLeft - (bar.clientWidth - open.offsetWidth) / 2;
