# The end: passwords go, the task goes, the host is told.

# Copies of the answer file that Setup keeps; it blanks passwords in them, but not all of them in all versions.
$copies = @(
    "$env:SystemRoot\Panther\unattend.xml", "$env:SystemRoot\Panther\unattend-original.xml", "$env:SystemRoot\Panther\Unattend\unattend.xml",
    "$env:SystemRoot\Panther\autounattend.xml", "$env:SystemRoot\Panther\Unattend\autounattend.xml",
    "$env:SystemRoot\System32\Sysprep\unattend.xml", "$env:SystemRoot\System32\Sysprep\Panther\unattend.xml"
)

# @returns the files that could not be removed
function Remove-Passwords {
    $left = @()
    foreach ($file in $copies + @((Join-Path $Place 'secrets.xml'), (Join-Path $Place 'dcpromo.txt'))) {
        try { if (Test-Path $file) { Remove-Item -Path $file -Force } } catch { $left += $file }
    }
    $logon = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
    foreach ($name in 'DefaultPassword', 'AutoLogonCount') {
        Remove-ItemProperty -Path $logon -Name $name -ErrorAction SilentlyContinue
    }
    Set-ItemProperty -Path $logon -Name 'AutoAdminLogon' -Value '0'
    return $left
}

function Write-Finished($Settings, [string[]] $Names, [string[]] $Left) {
    $ok = $true
    $steps = @()
    foreach ($name in $Names) {
        $result = '' + (Get-Content (Get-StepFile $name 'result'))
        if ($result -ne 'done') { $ok = $false }
        $steps += '{"name":' + (ConvertTo-JsonText $name) + ',"result":' + (ConvertTo-JsonText $result) + '}'
    }
    if ($Left.Count -gt 0) { $ok = $false }
    $files = @($Left | Where-Object { $_ } | ForEach-Object { ConvertTo-JsonText $_ })
    $text = '{"finished":true,"ok":' + $ok.ToString().ToLowerInvariant() +
        ',"version":' + (ConvertTo-JsonText (Get-Text $Settings 'version')) +
        ',"computer":' + (ConvertTo-JsonText $env:COMPUTERNAME) +
        ',"at":' + (ConvertTo-JsonText ((Get-Date).ToUniversalTime().ToString('s') + 'Z')) +
        ',"steps":[' + ($steps -join ',') + '],"passwordsLeftIn":[' + ($files -join ',') + ']}'
    # Renamed when it is whole: the host may read it at any moment.
    $file = Join-Path $Place 'finished.json'
    [System.IO.File]::WriteAllText($file + '.tmp', $text, (New-Object System.Text.UTF8Encoding($false)))
    Move-Item -Path ($file + '.tmp') -Destination $file -Force
}

# Crash settings and features want a restart; and the logon that began all this must not stay.
function Step-LastRestart($Settings) { return 'restart' }

function Complete-Installation($Settings, [string[]] $Names) {
    $left = @(Remove-Passwords)
    Write-Finished $Settings $Names $left
    Write-Log 'first-boot' 'finished'
    schtasks.exe /delete /f /tn Bulkhead | Out-Null
    foreach ($file in Get-ChildItem -Path $Place) {
        if (-not $file.PSIsContainer -and $file.Extension -match '^\.(ps1|cmd|xml|txt)$') { Remove-Item -Path $file.FullName -Force -ErrorAction SilentlyContinue }
    }
}
