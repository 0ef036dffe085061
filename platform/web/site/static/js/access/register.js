/* The registration form with scripts: nothing but the visitor's time zone, so that mails show their clocks and
 * the numbers nearest to them. */

const field = document.querySelector("#register input[name=timezone]");
if (field !== null) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
