// Sets theme, density and language before the first paint, so that no page flashes. The settings store does it again.
(function () {
  var settings = {}
  try {
    settings = JSON.parse(localStorage.getItem('messenger.settings') || '{}') || {}
  } catch (error) {
    // Storage is forbidden or broken: the defaults apply.
  }
  var dark = settings.theme === 'dark' || (settings.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  document.documentElement.dataset.density = settings.density === 'compact' ? 'compact' : 'comfortable'
  if (settings.language === 'en') document.documentElement.lang = 'en'
})()
